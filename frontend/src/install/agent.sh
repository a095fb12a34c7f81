#!/bin/sh
# Installs the Tidemark agent: sh agent.sh <group> [<CA file>]
# Run again, it brings the program up to date and leaves the configuration as it is.
set -eu

group=${1:?which group? copy the lines from the page of the backup service}
ca=${2:-}
case $group in *[!0-9a-f]*) echo "the group's id is 24 hexadecimal digits" >&2; exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "run this as root: it writes to /usr/local/bin and /etc" >&2; exit 2; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fetch() {
    if [ -n "$ca" ]; then
        curl -fsS --cacert "$ca" "@PUBLIC_URL@/install/$1" -o "$scratch/$1"
    else
        curl -fsS "@PUBLIC_URL@/install/$1" -o "$scratch/$1"
    fi
}

fetch agent
fetch unit
id tidemark-agent >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin tidemark-agent
install -d -m 0755 /etc/tidemark
install -m 0755 "$scratch/agent" /usr/local/bin/tidemark-agent
install -m 0644 "$scratch/unit" /etc/systemd/system/tidemark-agent.service
[ -z "$ca" ] || install -m 0644 "$ca" /etc/tidemark/backup-ca.pem

config=/etc/tidemark/agent.conf
if [ ! -e "$config" ]; then
    (
        umask 077
        {
            echo "mmsGroupId = $group"
            echo "# The key from the page; this file is for the agent's eyes only."
            echo "mmsApiKey = "
            echo "mothership = @MOTHERSHIP@"
            [ -z "$ca" ] || echo "sslTrustedMMSBackupServerCertificate = /etc/tidemark/backup-ca.pem"
            echo "# replicaSets = rs0/db1.example.com:27017,db2.example.com:27017"
            echo "# With auth and TLS; the password goes into the file, which is there and empty:"
            echo "# username = tidemark"
            echo "# passwordFile = /etc/tidemark/password"
            echo "# tlsCAFile = /etc/tidemark/mongo-ca.pem"
        } >"$config"
        [ -e /etc/tidemark/password ] || : >/etc/tidemark/password
    )
    chown tidemark-agent "$config" /etc/tidemark/password
    echo "Now write the key and the replica sets into $config, then, as root:"
else
    echo "$config is left as it is. Now, as root:"
fi
echo "    runuser -u tidemark-agent -- tidemark-agent check --config $config"
echo "    systemctl daemon-reload && systemctl enable --now tidemark-agent"
