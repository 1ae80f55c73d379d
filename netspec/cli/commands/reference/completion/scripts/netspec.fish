# Completion of netspec in fish. Once: netspec completion fish > ~/.config/fish/completions/netspec.fish

function __netspec_answers
    set -l before (commandline -opc)
    set -e before[1]
    set -l current (commandline -ct)
    set -l unescaped (string unescape -- "$current"); and set current $unescaped
    command netspec completion fish --answer=$before "--answer=$current" 2>/dev/null
end

complete -c netspec -f -a '(__netspec_answers)'
