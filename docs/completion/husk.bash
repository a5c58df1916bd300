# bash completion for husk(1): commands, options, and unit names as `husk list` gives them.
# Every verb and option of cli/verbs.cc; tests/unit/cli_docs_test.cc fails where one is missing.

_husk() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]} words=""
    local verbs="status list why logs cat show security start stop restart kill update plan apply confirm
        reload
        is-system-running poweroff reboot halt check version supervise help"
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$verbs --help --version" -- "$current"))
        return
    fi
    case $previous in
        -o | --output) COMPREPLY=($(compgen -W "short cat json" -- "$current")); return ;;
        -s | --signal)
            COMPREPLY=($(compgen -W "SIGHUP SIGINT SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGTERM" \
                -- "$current"))
            return ;;
        --reference) COMPREPLY=($(compgen -W "man markdown keys live" -- "$current")); return ;;
        --kernel-config) COMPREPLY=($(compgen -f -- "$current")); return ;;
        -p | --property)
            COMPREPLY=($(compgen -W "$(husk check --reference keys 2>/dev/null)" -- "$current"))
            return ;;
        -u | --units) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --config) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --run-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
        -n | --lines | -S | --since | --confirm) return ;;
    esac
    if [[ $current == -* ]]; then
        words="--json --run-dir --help"
        case $verb in
            logs) words+=" --follow --lines --since --output" ;;
            show) words+=" --given --property --namespaces --units --config" ;;
            security) words+=" --threshold --units --config" ;;
            kill) words+=" --signal" ;;
            update) words+=" --persist" ;;
            is-system-running) words+=" --wait" ;;
            plan | reload) words+=" --partial" ;;
            apply) words+=" --confirm" ;;
            check) words="--explain --json --kernel-config --reference --help" ;;
            graph) words="--dot --json --help" ;;
            supervise)
                words="--units --config --run-dir --state-dir --cgroup --debug --help" ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
    fi
    case $verb in
        status | why | logs | cat | show | security | start | stop | restart | kill)
            words=$(husk list 2>/dev/null)
            COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
        update)
            if ((COMP_CWORD == 2)); then
                COMPREPLY=($(compgen -W "$(husk list 2>/dev/null)" -- "$current"))
            else
                words=$(husk check --reference live 2>/dev/null)
                COMPREPLY=($(compgen -S = -W "$words" -- "$current"))
                compopt -o nospace 2>/dev/null
            fi ;;
        plan | apply) COMPREPLY=($(compgen -d -- "$current")) ;;
        check) COMPREPLY=($(compgen -f -- "$current")) ;;
        graph)
            words=$(husk list 2>/dev/null)
            COMPREPLY=($(compgen -f -- "$current") $(compgen -W "$words" -- "$current")) ;;
        help) COMPREPLY=($(compgen -W "$verbs" -- "$current")) ;;
    esac
}
complete -F _husk husk
