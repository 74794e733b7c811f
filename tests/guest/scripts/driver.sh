# Runs the cases of a corpus, each in an empty folder of its own, and prints what each says and its status. Usage: sh driver.sh
# CORPUS WORK [NAME]. The same file drives both sides; the shells and tools are found through PATH.
corpus=$1 work=$2 only=$3
rm -rf "$work"
mkdir -p "$work"
awk -v work="$work" '/^=== / { close(out); out = work "/" $2 ".case"; print $2, $3 >(work "/list"); next } { print >out }' "$corpus"
umask 022
while read -r name kind; do
    [ -z "$only" ] || [ "$only" = "$name" ] || continue
    for shell in bash sh; do
        [ "$kind" = both ] || [ "$kind" = $shell ] || continue
        mkdir "$work/$name.$shell"
        (
            cd "$work/$name.$shell" || exit
            mkdir in
            cd in || exit
            ln -s "../$name.case" ../case
            exec env -i PATH="$PATH" HOME="$work/$name.$shell" LC_ALL=C TZ=UTC TERM=dumb timeout 60 $shell ../case </dev/null >"$work/out" 2>&1
        )
        status=$?
        cat "$work/out" # from a file: an orphan of a case would keep a pipe open
        echo "=== $name in $shell: status $status"
        rm -rf "$work/$name.$shell"
    done
done <"$work/list"
rm -rf "$work"
