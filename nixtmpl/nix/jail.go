package nix

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An evaluation reads what a pushed flake tells it to: `inputs.x.url =
// "path:/root"` or builtins.fetchGit of a local repository are legal even in
// pure evaluation, and nix reads as the server's user. So the evaluator runs in
// a mount and pid namespace of its own, whose root holds nix, the flake, its
// overrides and what is needed to fetch, and nothing else of the machine.
// Restricted evaluation was considered; it does not reach the inputs of flakes.

// jailScript builds that root and runs nix in it. Its arguments are the mount
// point, the directories and files to show, "--", the working directory and
// the command: data, never text of the script.
const jailScript = `set -eu
root=$1; shift
mount --make-rprivate /
mount -t tmpfs -o mode=755,size=16m hop3-eval "$root"
mkdir -p "$root/etc" "$root/tmp" "$root/proc" "$root/old"
chmod 1777 "$root/tmp"
for f in passwd group nsswitch.conf resolv.conf hosts services protocols ld.so.cache; do
  [ ! -r "/etc/$f" ] || cp -L "/etc/$f" "$root/etc/$f"
done
for l in bin sbin lib lib32 lib64; do
  [ ! -L "/$l" ] || ln -s "$(readlink "/$l")" "$root/$l"
done
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p "$root$1"; else mkdir -p "$root${1%/*}"; : > "$root$1"; fi
  mount --rbind "$1" "$root$1"
  shift
done
shift
mount -t proc proc "$root/proc"
dir=$1; shift
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
cd "$dir"
exec "$@"
`

// jail returns inv as it is run in the jail, with its directory and more to be seen.
func (n *Nix) jail(inv invocation, more ...string) invocation {
	args := []string{"--mount", "--pid", "--fork", "--kill-child"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	args = append(args, "--", "sh", "-c", jailScript, "hop3-eval", n.stateDir("jail"))
	args = append(args, n.visible(append(more, inv.dir))...)
	args = append(append(args, "--", inv.dir, inv.bin), inv.args...)
	inv.bin, inv.args, inv.dir = "unshare", args, ""
	return inv
}

// visible are the paths that an evaluation sees: outer ones before those inside
// of them, each once, and only what exists.
func (n *Nix) visible(more []string) []string {
	want := []string{"/nix", "/usr", "/dev", "/etc/ssl", "/etc/nix", "/etc/pki", n.opt.CAFile, n.opt.Shell,
		n.stateDir("conf"), n.stateDir("home"), n.stateDir("cache"), n.stateDir("xdg")}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64"} {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() { // else a link into /usr
			want = append(want, dir)
		}
	}
	if !strings.HasPrefix(n.nix, "/usr/") && !strings.HasPrefix(n.nix, "/nix/") { // an installation of its own
		want = append(want, filepath.Dir(filepath.Dir(n.nix)))
	}
	if n.mode == Daemon {
		want = append(want, filepath.Dir(n.opt.Socket))
	}
	want = append(want, more...)
	slices.Sort(want)
	var seen []string
	for _, p := range want {
		if _, err := os.Stat(p); p == "" || err != nil || slices.ContainsFunc(seen, func(o string) bool { return p == o || strings.HasPrefix(p, o+"/") }) {
			continue
		}
		seen = append(seen, p)
	}
	return seen
}

// localInputs are the directories that overrides name.
func localInputs(overrides map[string]string) []string {
	var dirs []string
	for _, ref := range overrides {
		for _, scheme := range []string{"path:", "git+file:", "file:"} {
			if dir, ok := strings.CutPrefix(ref, scheme); ok {
				dir, _, _ = strings.Cut(strings.TrimPrefix(dir, "//"), "?")
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}
