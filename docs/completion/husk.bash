# bash completion for husk(1): commands, options, and unit names as `husk list` gives them.
# Every verb and option of cli/verbs.cc; tests/unit/cli_docs_test.cc fails where one is missing.

_husk() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]} words=""
    local verbs="status list timers network top metrics blame critical-chain upgrade doctor why logs events cat show security start stop restart kill healthcheck reset-failed exec update plan apply confirm
        reload image
        is-system-running poweroff reboot halt kexec check graph version log-files prepare-root rescue supervise help"
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$verbs --help --version" -- "$current"))
        return
    fi
    case $previous in
        -o | --output) COMPREPLY=($(compgen -W "short short-monotonic short-iso short-precise cat json" -- "$current")); return ;;
        --whom) COMPREPLY=($(compgen -W "main all" -- "$current")); return ;;
        --sort) COMPREPLY=($(compgen -W "c m t i n p" -- "$current")); return ;;
        -s | --signal)
            if [[ $verb == top ]]; then
                COMPREPLY=($(compgen -W "c m t i n p" -- "$current"))
                return
            fi
            COMPREPLY=($(compgen -W "SIGHUP SIGINT SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGTERM" \
                -- "$current"))
            return ;;
        --reference) COMPREPLY=($(compgen -W "man markdown keys live" -- "$current")); return ;;
        --state)
            COMPREPLY=($(compgen -W "inactive waiting starting running reloading stopping backoff \
                failed exited refused" -- "$current"))
            return ;;
        --kernel-config) COMPREPLY=($(compgen -f -- "$current")); return ;;
        -p | --property)
            COMPREPLY=($(compgen -W "$(husk check --reference keys 2>/dev/null)" -- "$current"))
            return ;;
        -u | --units) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --config) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --run-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
        -n | --lines | -S | --since | -U | --until | -g | --grep | -b | --boot | --confirm | -e | --env | -w | --workdir | --user | \
            -d | --delay | --rounds | -l | --listen | --threshold | --within | --settle) return ;;
        --verity) COMPREPLY=($(compgen -f -- "$current")); return ;;
    esac
    if [[ $current == -* ]]; then
        words="--json --run-dir --help"
        case $verb in
            status | list) words+=" --state --failed" ;;
            top) words+=" --batch --rounds --delay --sort" ;;
            metrics) words+=" --listen" ;;
            doctor) words+=" --all --units" ;;
            logs) words+=" --follow --lines --since --until --output --grep --dmesg --boot" ;;
            events) words+=" --since" ;;
            show) words+=" --given --property --namespaces --units --config" ;;
            security) words+=" --threshold --units --config" ;;
            kill) words+=" --signal --whom" ;;
            start | stop | restart) words+=" --no-wait" ;;
            exec) words+=" --tty --interactive --user --workdir --env" ;;
            update) words+=" --persist" ;;
            upgrade) words+=" --check --downgrade --signature --within" ;;
            is-system-running) words+=" --wait" ;;
            plan) words+=" --partial" ;;
            reload) words+=" --partial --no-wait" ;;
            apply) words+=" --confirm" ;;
            image) words+=" --verity --back --within --settle --no-rollback --unused" ;;
            check) words="--explain --json --kernel-config --reference --help" ;;
            graph) words="--dot --json --help" ;;
            log-files) words="--run-dir --kernel-log --file --help" ;;
            supervise)
                words="--units --config --run-dir --state-dir --cgroup --debug --help" ;;
        esac
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
    fi
    case $verb in
        status | list | critical-chain | why | logs | events | cat | show | security | start | stop | restart | kill | \
            exec | healthcheck | reset-failed | reload)
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
        image)
            # A line is NAME VERSION …; options may stand between the words.
            local -a said=()
            local word name version
            for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do [[ $word == -* ]] || said+=("$word"); done
            case ${#said[@]}/${said[0]} in
                0/*) words="list add switch remove" ;;
                1/add) COMPREPLY=($(compgen -f -- "$current")); return ;;
                1/*) while read -r name version; do words+=" $name"; done < <(husk image list 2>/dev/null | tail -n +2) ;;
                2/switch | */remove)
                    while read -r name version _; do
                        [[ $name == "${said[1]}" ]] && words+=" $version"
                    done < <(husk image list "${said[1]}" 2>/dev/null | tail -n +2) ;;
            esac
            COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
        plan | apply) COMPREPLY=($(compgen -d -- "$current")) ;;
        check) COMPREPLY=($(compgen -f -- "$current")) ;;
        graph)
            words=$(husk list 2>/dev/null)
            COMPREPLY=($(compgen -f -- "$current") $(compgen -W "$words" -- "$current")) ;;
        help) COMPREPLY=($(compgen -W "$verbs" -- "$current")) ;;
    esac
}
complete -F _husk husk
