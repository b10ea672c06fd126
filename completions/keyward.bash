_keyward_complete() {
    local IFS=$'\013' at space=true
    if compopt +o nospace 2> /dev/null; then
        space=false
    fi
    local words=("${COMP_WORDS[@]}")
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        words[COMP_CWORD]="$2"
    fi
    COMPREPLY=()
    # Not ( $(…) ): a name such as * would become the names of files.
    read -r -d '' -a COMPREPLY < <( \
        _CLAP_IFS="$IFS" \
        _CLAP_COMPLETE_INDEX="$COMP_CWORD" \
        _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
        _CLAP_COMPLETE_SPACE="$space" \
        COMPLETE="bash" \
        keyward -- "${words[@]}" 2> /dev/null \
    )
    for at in "${!COMPREPLY[@]}"; do
        [[ "${COMPREPLY[at]}" == *[^[:alnum:]_./:=@%+,-]* ]] || continue
        if [[ "${COMP_WORDS[COMP_CWORD]}" == [\"\']* ]]; then
            # Within quotes that are open, readline knows what to protect.
            compopt -o fullquote 2> /dev/null || compopt -o filenames 2> /dev/null
            break
        fi
        printf -v 'COMPREPLY[at]' %q "${COMPREPLY[at]}"
    done
    if [[ $space == false ]] && [[ "${COMPREPLY-}" =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _keyward_complete keyward
else
    complete -o nospace -o bashdefault -F _keyward_complete keyward
fi
