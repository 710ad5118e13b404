# ops/lib/packages.sh - what the scripts need from Debian, and the one way to get it
#
# Only what is missing is installed, by name.  A line may carry the least version that will do.
# shellcheck shell=bash disable=SC2034

packages_up=(
    gcc libc6-dev meson ninja-build pkg-config python3 python3-yaml curl
    libuv1-dev libpq-dev libjansson-dev libcurl4-openssl-dev libssl-dev node-llhttp
    'librabbitmq-dev>=0.11.0-1+deb12u3' 'librabbitmq4>=0.11.0-1+deb12u3'
    postgresql-15 postgresql-client-15 rabbitmq-server
)
packages_test=(
    libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev binutils shellcheck
    python3-pytest python3-pytest-xdist groff python3-psycopg2 python3-pika prometheus
    python3-jsonschema chromium zsh fish nginx prometheus-node-exporter
)
packages_report=(python3-matplotlib) # tests/bench/report

# Where node and npm are there already, perhaps newer ones, they will do.
command -v node >/dev/null && command -v npm >/dev/null || packages_test+=(nodejs npm)

package_is_there() {
    local name=${1%%>=*} least='' status
    [ "$name" = "$1" ] || least=${1#*>=}
    # shellcheck disable=SC2016  # dpkg-query fills these in, not the shell
    status=$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$name" 2>/dev/null) || return 1
    [ "${status% *}" = installed ] || return 1
    [ -z "$least" ] || dpkg --compare-versions "${status#* }" ge "$least"
}

# packages_ensure LOG PACKAGE… - says what is missing and installs it, as root or by sudo.
packages_ensure() {
    local log=$1 package as_root=()
    local missing=()
    shift
    for package in "$@"; do
        package_is_there "$package" || missing+=("${package%%>=*}")
    done
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    if [ ${#missing[@]} = 0 ] && { [ "$(id -u)" != 0 ] || getent passwd docket >/dev/null; }; then
        say 'packages: all there'
        return 0
    fi
    if [ ${#as_root[@]} != 0 ] && ! command -v sudo >/dev/null; then
        die packages "missing: ${missing[*]}; neither root nor sudo to install them with" "$log"
    fi
    say "packages: installing ${missing[*]:-the system user docket} (log: $log)"
    "${as_root[@]}" bash "$(dirname "${BASH_SOURCE[0]}")/install" "${missing[@]}" >>"$log" 2>&1 ||
        die packages "could not install ${missing[*]}: $(tail -n 1 "$log")" "$log"
}
