# Completion of hop3 for bash: source <(hop3 completion bash)
_hop3() {
    local line="${COMP_LINE:0:COMP_POINT}" words cur value text
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    cur="${words[-1]}"
    COMPREPLY=()
    while IFS=$'\t' read -r value text; do
        # readline takes what stands behind a colon for a word of its own
        [[ $COMP_WORDBREAKS == *:* ]] && value="${value#"${cur%"${cur##*:}"}"}"
        COMPREPLY+=("$value")
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _hop3 hop3
