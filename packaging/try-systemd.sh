#!/bin/bash
# What packaging/try.sh has a booted Debian do, where the package is installed: the first steps of docs/packages.md, and then what
# the units promise. The last line of the log is "ALL WELL".
exec >/root/log 2>&1
set -eux
as_keyward() {
    runuser -u keyward -- env HOME=/var/lib/keyward KEYWARD_VAULT=/var/lib/keyward/vault XDG_STATE_HOME=/var/lib/keyward/state keyward "$@"
}
trap 'systemctl --failed --no-pager || :; journalctl --no-pager -u "keyward*" -o cat; systemctl poweroff --force' EXIT

as_keyward init
as_keyward vault slots add --device-file /var/lib/keyward/keyward.key --label server
install -m 600 -o root -g root /var/lib/keyward/keyward.key /etc/keyward/keyward.key
rm /var/lib/keyward/keyward.key
as_keyward -q create due --env production --rotate-every 1s >/root/secret
as_keyward -q create lost --env production --rotate-every 1s >/dev/null
# From here on, nothing opens the vault but what systemd hands to the services.
mv /var/lib/keyward/.config /root/opens

systemctl enable --now keyward.socket keyward.service
systemctl is-active keyward.socket keyward.service
runuser -u keyward -- keyward serve --probe
runuser -u keyward -- keyward serve --probe --listen unix:/run/keyward/keyward.sock
systemctl reload keyward
systemctl is-active keyward.service
journalctl --no-pager -u keyward -o cat | grep "keys and policies are as the keystore has them"
systemctl restart keyward
runuser -u keyward -- keyward serve --probe
systemctl stop keyward.service
# A question to the socket starts it again.
runuser -u keyward -- keyward serve --probe
systemctl is-active keyward.service

install -d -o keyward /var/lib/keyward/out
printf '[[rule]]\nname = "due"\ndeliver = ["file:/var/lib/keyward/out/{name}"]\n' >/etc/keyward/deliver/nightly.toml
printf '#!/bin/sh\necho "told of $1"\n' >/etc/keyward/on-failure
chmod 755 /etc/keyward/on-failure
# One key has no rule: the run delivers the other one, fails, and somebody is told.
if systemctl start keyward-rotate@nightly.service; then
    exit 1
fi
test -s /var/lib/keyward/out/due
until journalctl --no-pager -o cat | grep "told of keyward-rotate@nightly.service"; do
    sleep 0.2
done
systemctl enable --now keyward-rotate@nightly.timer
systemctl list-timers --no-pager | grep keyward-rotate@nightly.timer
# The sandbox keeps what is not its own from being written.
systemctl stop keyward.service keyward.socket
test ! -e /run/keyward/keyward.sock
mv /root/opens /var/lib/keyward/.config
as_keyward audit verify
trap - EXIT
echo ALL WELL
systemctl poweroff --force
