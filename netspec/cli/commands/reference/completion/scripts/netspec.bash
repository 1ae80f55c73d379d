# Completion of netspec in bash. In ~/.bashrc: eval "$(netspec completion bash)"

_netspec() {
    local line typed=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(command netspec completion bash "--answer=$typed" "--answer=$COMP_WORDBREAKS" 2>/dev/null)
    # Behind a folder or a key, more is to come.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _netspec netspec
