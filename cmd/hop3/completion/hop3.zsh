#compdef hop3
# Completion of hop3 for zsh: source <(hop3 completion zsh), or as a file _hop3 in $fpath
_hop3() {
    local -a found
    local value text
    while IFS=$'\t' read -r value text; do
        found+=("${value//:/\\:}:$text")
    done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( $#found )); then
        _describe hop3 found
    else
        _files
    fi
}
if [ "$funcstack[1]" = _hop3 ]; then
    _hop3 "$@"
else
    compdef _hop3 hop3
fi
