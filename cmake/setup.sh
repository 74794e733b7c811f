# Sourced by run, test and .ci/run: installs what is missing, builds a preset, runs its tests.
# Facts live elsewhere: the package list in cmake/packages.txt, the presets in CMakePresets.json.

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

# install_packages SECTION... — apt-get install of what dpkg does not know yet.
install_packages() {
    local missing=() section="" line want=" $* "
    while IFS= read -r line; do
        case "$line" in
            ''|'#'*) ;;
            '['*']') section=${line#[}; section=${section%]} ;;
            *) [[ $want == *" $section "* ]] || continue
               [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$line" 2>/dev/null)" = "ii " ] || missing+=("$line") ;;
        esac
    done < cmake/packages.txt
    [ ${#missing[@]} -eq 0 ] && return 0
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "setup: missing packages (${missing[*]}); run as root or install sudo" >&2; exit 69; }
        root=(sudo)
    fi
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"${TMPDIR:-/tmp}/vitrine-apt.log" 2>&1 ||
        { tail -20 "${TMPDIR:-/tmp}/vitrine-apt.log" >&2; echo "setup: apt-get install failed" >&2; exit 69; }
}

# unpack_kernels — Debian's kernels of the [unpack] section (meta-packages, which lead to the real ones): the first one's image to
# build/foreign/vmlinuz, the second one's with its driver for the network card to build/foreign/generic/.
unpack_kernels() {
    local metas
    mapfile -t metas < <(sed -n '/^\[unpack\]/,$p' cmake/packages.txt | sed 1d)
    unpack_kernel "${metas[0]}" build/foreign vmlinuz
    unpack_kernel "${metas[1]}" build/foreign/generic vmlinuz e1000.ko
}

# unpack_kernel META FOLDER FILE... — files of a kernel package by their names, the image without its version.
unpack_kernel() {
    local meta=$1 folder=$2 name scratch file from
    shift 2
    [ -e "$folder/${!#}" ] && return 0
    say "unpacking the kernel of $meta"
    [ -n "$(apt-cache show "$meta" 2>/dev/null)" ] || { [ "$(id -u)" = 0 ] && apt-get update -qq >&2 || sudo apt-get update -qq >&2; }
    name=$(apt-cache depends "$meta" | awk '/Depends: linux-image-/ {print $2; exit}')
    scratch=$(mktemp -d)
    mkdir -p "$folder"
    if (cd "$scratch" && apt-get download -qq "$name" >&2 2>/dev/null && dpkg-deb -x ./*.deb .); then
        for file in "$@"; do
            from=$(find "$scratch" -name "$file" -o -name "$file-*" | head -1)
            [ -n "$from" ] && mv "$from" "$folder/$file" || { echo "setup: $name has no $file" >&2; exit 69; }
        done
    else
        rm -rf "$scratch"
        echo "setup: Debian's package $meta could not be had" >&2
        exit 69
    fi
    rm -rf "$scratch"
}

# build PRESET [TARGET...] — configure, then build with progress on stderr. Configuring again is quick, and sees packages
# that came since. VITRINE_TESTS=ON builds the tests too (./run needs none of their packages).
build() {
    local preset=$1; shift
    local folder=build/$preset
    [ -f "$folder/build.ninja" ] || say "configuring $preset"
    mkdir -p "$folder"
    cmake --preset "$preset" -DVITRINE_TESTS="${VITRINE_TESTS:-OFF}" >"$folder/configure.log" 2>&1 || { cat "$folder/configure.log" >&2; exit 70; }
    say "building $preset"
    cmake --build "$folder" ${1:+--target "$@"} >&2 || { echo "setup: the build failed" >&2; exit 70; }
}

# Tests that run on the host's clock (QEMU's machines, X displays, ratios of time), by their names. What runs in Vitrine alone is
# deterministic and is never asked twice.
host_clock='qemu|kernel_boot|job_control|^ui\.|^bench\.|^gdb\.|^(BzImage|Bios|SeaBios|Loader|BiosFailure|LoaderFailure|Tables)\.|OnThePeer|outlive_their_writer|^serial\.|^lockstep\.|over_the_network'

# run_tests PRESET [ARGUMENT of ctest...] — when nothing but tests on the host's clock failed, these run once more, alone: a machine
# that was busy elsewhere is no defect, and one that fails on a quiet machine fails twice.
run_tests() {
    local preset=$1 status=0 failed
    shift
    ctest --preset "$preset" "$@" || status=$?
    failed=build/$preset/Testing/Temporary/LastTestsFailed.log
    [ $status -eq 8 ] && [ -s "$failed" ] || return $status
    cut -d: -f2- "$failed" | grep -qvE "$host_clock" && return $status
    say "once more and alone, for they run on the host's clock: $(cut -d: -f2- "$failed" | tr '\n' ' ')"
    ctest --preset "$preset" --rerun-failed -j1
}
