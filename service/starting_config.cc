#include "service/config.h"

namespace sluice::service {
namespace {

constexpr const char* starting_text =
    R"toml(# Configuration of `sluice serve`. Each setting stands here with its default; a line that begins
# with # does not count. In a string, ${NAME} is what the environment has, and ${file:PATH} the
# first line of a file that only this user can read. Paths are relative to this file; those of
# secrets to $CREDENTIALS_DIRECTORY where systemd gives one. Read anew on SIGHUP.

[service]
# state = "/var/lib/sluice/state"  # Directory of jobs, history, users and the audit log.
# time_zone = "UTC"                # IANA name, for policies that name none.
# memory = "384M"                  # Of all running jobs together; 128M at least.
# jobs = 8                         # That run at once, at most.
# overdue = "2h"                   # A backup that is so late is told.
# shrink_ratio = 0.5               # A backup with less than so much of the last one is told.
# job_history = "90d"              # How long jobs are remembered.
# drill_target = "scratch"         # Where drills restore to: a local target. None: no drills.

[listen]
# address = "127.0.0.1:7780"       # Or "[::1]:7780", "unix:/run/sluice/sluice.sock".
# certificate = "server.pem"       # Needed, with its key, where others can connect.
# key = "server.key"
# hosts = ["backup.example"]       # Names by which browsers come, beside the address.

[metrics]
# open = true                      # /metrics without a token; false where others can connect.

# Where backups go. Several may be there.
[repositories.main]
path = "/var/lib/sluice/repository"
# passphrase_file = "main.pass"    # Of an encrypted one; or key_file, or passphrase_command.
# trash = "7d"                     # How long what was removed can be had back.

# When instances are backed up, and what is kept.
[policies.nightly]
# enabled = true
# days = "daily"                   # Or "weekdays", or ["mon", "thu"].
# start = "02:00"                  # Each instance has its own place in the window.
# window = "1h"
# every = "6h"                     # In place of days and start: hours from Monday 00:00 on.
# time_zone = "UTC"                # Default: that of [service].
# source = "prefer-replica"        # Or "replica", "primary".
# layout = "canonical"             # Changes only; "stream": the RDB byte for byte.
# compression = "lz4"              # Or "zstd", "zstd:1" to "zstd:19", "none".
# retries = 3
# retry_delay = "1m"               # Before the first retry; doubles each time.
# What any of these rules keeps is kept; the rest is removed after each backup. Pinned backups stay.
# keep = { within = "7d", last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0, minimum = 1 }
# verify = { days = ["sat"], start = "04:00", window = "1h" }   # The newest backup, to the digest.
# drill = { days = ["sun"], start = "05:00", window = "1h" }    # A random one, restored and compared.

# Instances that have a policy in common.
# [groups.caches]
# policy = "nightly"

# What is backed up; one table each.
# [instances.orders]
# uri = "redis://127.0.0.1:6379"   # rediss:// for TLS; redis-sentinel://HOST,HOST?master=NAME.
# password_file = "orders.pass"    # Or password = "${NAME}" or "${file:PATH}"; never written out.
# sentinel_password_file = "sentinels.pass"
# repository = "main"              # May be left out while there is one only.
# group = "caches"
# policy = "nightly"               # Default: the group's; without one: by hand only.
# cluster = false                  # A node of a cluster; all of it is meant.
# cacert = "ca.pem"                # TLS: authorities, and our own certificate and key.
# cert = "client.pem"
# key = "client.key"
# sni = "redis.example"
# insecure = false                 # true: take any certificate.
# timeout = "60s"                  # A server silent for so long is given up.

# Where clones may go.
# [targets.scratch]
# provide = "local:/var/lib/sluice/clones"   # A server of this machine; or "exec:COMMAND".
# program = "/usr/bin/redis-server"
# [targets.staging]
# uri = "redis://staging:6379"     # All that it holds is replaced; logins as for instances.

# Who is told of failures.
# [notify.oncall]
# url = "https://hooks.example/sluice"       # Is sent JSON; or command = "…" for /bin/sh.
# headers = { Authorization = "${HOOK_TOKEN}" }
# events = ["backup_failed", "backup_small", "backup_overdue", "backup_recovered", "drill_failed", "drill_overdue", "verify_failed"]
)toml";

}  // namespace

std::string starting_config() { return starting_text; }

}  // namespace sluice::service
