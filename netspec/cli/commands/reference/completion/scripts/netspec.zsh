#compdef netspec
# Completion of netspec in zsh. In ~/.zshrc, after compinit: eval "$(netspec completion zsh)"

_netspec() {
  local line
  local -a whole begun
  for line in "${(@f)$(command netspec completion zsh "--answer=${(@Q)^words[2,CURRENT]}" 2>/dev/null)}"; do
    # Behind a folder or a key, more is to come.
    case ${line%%:*} in
      '') ;;
      *[/=]) begun+=("$line") ;;
      *) whole+=("$line") ;;
    esac
  done
  (( $#whole )) && _describe -t values netspec whole
  (( $#begun )) && _describe -t beginnings netspec begun -S ''
}

if [[ ${funcstack[1]} == _netspec ]]; then
  _netspec "$@"
else
  compdef _netspec netspec
fi
