# For every interactive bash.
PS1='vitrine\$ '
help() {
    if [ $# -gt 0 ]; then
        builtin help "$@"
        return
    fi
    cat /etc/help
}
