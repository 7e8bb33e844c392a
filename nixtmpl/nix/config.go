package nix

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// daemonSocket is where a nix daemon listens.
const daemonSocket = "/nix/var/nix/daemon-socket/socket"

// decideMode picks who builds: the daemon when its socket answers, else this
// process when it is root and has build users.
func decideMode(uid int, socket, group string) (Mode, error) {
	if c, err := net.DialTimeout("unix", socket, 2*time.Second); err == nil {
		c.Close()
		return Daemon, nil
	}
	if uid != 0 {
		return "", &SetupError{
			Problem: "not root, and no nix daemon answers at " + socket,
			Mend:    "start the daemon (apt-get install nix-setup-systemd; systemctl start nix-daemon), or run hop3 as root",
		}
	}
	members, err := groupMembers("/etc/group", group)
	if err != nil {
		return "", fmt.Errorf("open nix: %w", err)
	}
	if len(members) == 0 {
		return "", &SetupError{
			Problem: fmt.Sprintf("root has no build users: the group %s is missing or has no members, and a build as root could rewrite the store", group),
			Mend: fmt.Sprintf("groupadd -r %[1]s; for i in 1 2 3 4; do useradd -r -M -g %[1]s -G %[1]s -d /var/empty -s /usr/sbin/nologin %[1]s$i; done",
				group),
		}
	}
	return Direct, nil
}

// groupMembers lists the users that file names as members of group and that
// exist. Nix too looks at this list, not at anyone's primary group.
func groupMembers(file, group string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	var members []string
	for line := range strings.Lines(string(data)) {
		field := strings.Split(strings.TrimSpace(line), ":")
		if len(field) != 4 || field[0] != group {
			continue
		}
		for name := range strings.SplitSeq(field[3], ",") {
			if _, err := user.Lookup(name); err == nil {
				members = append(members, name)
			}
		}
	}
	return members, nil
}

// configure writes the private configuration and settles the environment.
func (n *Nix) configure() error {
	for _, dir := range []string{"conf", "home", "cache", "xdg", "jail"} {
		if err := os.MkdirAll(n.stateDir(dir), 0o700); err != nil {
			return fmt.Errorf("make nix state: %w", err)
		}
	}
	files := map[string]string{
		n.stateDir("conf", "registry.json"): `{"flakes":[],"version":2}` + "\n",
		n.stateDir("conf", "nix.conf"):      n.settings(),
	}
	for path, text := range files {
		if err := writeFile(path, text); err != nil {
			return fmt.Errorf("write nix configuration: %w", err)
		}
	}
	n.env = n.environment()
	return nil
}

// settings is the text of nix.conf. Only options that 2.8 knows: an unknown one
// warns at each start. A daemon takes the restricted ones from trusted users
// only, and warns about each that it ignores.
func (n *Nix) settings() string {
	o := n.opt
	var b strings.Builder
	set := func(name string, value any) { fmt.Fprintf(&b, "%s = %v\n", name, value) }
	b.WriteString("# Written by hop3 at each start. The machine's caches, keys and builders come first:\n!include /etc/nix/nix.conf\n")
	set("experimental-features", "nix-command flakes")
	set("accept-flake-config", false)
	set("flake-registry", n.stateDir("conf", "registry.json"))
	set("use-registries", false)
	set("warn-dirty", false)
	set("max-jobs", o.MaxJobs)
	set("cores", max(o.Cores, 0))
	set("timeout", int(o.Timeout.Seconds()))
	set("max-silent-time", int(o.MaxSilent.Seconds()))
	set("connect-timeout", 15)
	set("stalled-download-timeout", 60)
	set("download-attempts", 3)
	set("log-lines", 10) // the driver keeps its own tail
	if o.Offline {
		set("substituters", "")
	}
	if !n.trusted {
		return b.String()
	}
	if o.SigningKey != "" {
		set("secret-key-files", o.SigningKey)
	}
	set("sandbox", true)
	set("sandbox-fallback", false)
	set("build-users-group", o.BuildUsersGroup)
	set("filter-syscalls", true)
	set("allow-new-privileges", false)
	set("allow-unsafe-native-code-during-evaluation", false)
	set("max-build-log-size", o.MaxLogBytes)
	// What a root needs to be built again is kept with it: without this a
	// collection takes the toolchain, and the next push needs 10 s instead of 0.1.
	set("keep-outputs", true)
	set("keep-derivations", true)
	set("auto-optimise-store", true) // releases of one app are nearly equal: 8.3 GB became 3.2
	return b.String()
}

// sandboxArgs are for each command that may build. A daemon takes them only from
// users that it trusts.
func (n *Nix) sandboxArgs() []string {
	if !n.trusted {
		return nil
	}
	return []string{"--option", "sandbox-paths", n.sandboxPaths()}
}

// sandboxPaths is the `sandbox-paths` setting: what builds see beside their
// inputs. It is always set, since Debian's newer nix has a default that fails
// where bash-static is not installed.
func (n *Nix) sandboxPaths() string {
	var paths []string
	if n.opt.Shell != "" {
		paths = append(paths, "/bin/sh="+n.opt.Shell)
	}
	// From 2.24 on nix itself shows the file, and to fetch steps only.
	if n.opt.CAFile != "" && !n.version.AtLeast(2, 24) {
		paths = append(paths, n.opt.CAFile)
	}
	return strings.Join(paths, " ")
}

// environment is all that nix sees of the outside.
func (n *Nix) environment() []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + n.stateDir("home"),
		"LANG=C.UTF-8",
		"NIX_CONF_DIR=" + n.stateDir("conf"),
		"NIX_USER_CONF_FILES=" + n.stateDir("conf", "none.conf"),
		"XDG_CACHE_HOME=" + n.stateDir("cache"),
		"XDG_CONFIG_HOME=" + n.stateDir("xdg"),
		"XDG_DATA_HOME=" + n.stateDir("xdg"),
		"XDG_STATE_HOME=" + n.stateDir("xdg"),
	}
	if n.mode == Daemon {
		env = append(env, "NIX_REMOTE=daemon", "NIX_DAEMON_SOCKET_PATH="+n.opt.Socket)
	} else {
		env = append(env, "NIX_REMOTE=local")
	}
	if n.opt.CAFile != "" {
		env = append(env, "NIX_SSL_CERT_FILE="+n.opt.CAFile, "SSL_CERT_FILE="+n.opt.CAFile)
	}
	for _, name := range []string{"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"} {
		for _, name := range []string{name, strings.ToUpper(name)} {
			if v, ok := os.LookupEnv(name); ok {
				env = append(env, name+"="+v)
			}
		}
	}
	return env
}

func (n *Nix) stateDir(elem ...string) string {
	return filepath.Join(append([]string{n.opt.StateDir}, elem...)...)
}

func systemCAFile() string {
	for _, path := range []string{
		os.Getenv("NIX_SSL_CERT_FILE"), os.Getenv("SSL_CERT_FILE"),
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
	} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// writeFile replaces path in one step, so that a nix that starts meanwhile reads
// the old text or the new one. It does not sync: the file is written again at
// each start.
func writeFile(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
