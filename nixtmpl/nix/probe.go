package nix

import (
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Features is what `hop3 doctor` wants to know of nix.
type Features struct {
	Version    Version
	Mode       Mode
	BuildUsers []string // who may run builds; nil with a daemon, which knows its own
	Sandbox    Sandbox
	Took       time.Duration // of the probe's build
}

// A Sandbox is what a build saw of the machine.
type Sandbox struct {
	UID        int      `json:"uid"`        // it ran as; inside the sandbox
	HostUID    int      `json:"hostUid"`    // the same as the machine sees it
	Root       []string `json:"root"`       // the entries of /
	Paths      int      `json:"paths"`      // entries of the store
	Interfaces []string `json:"interfaces"` // of the network, but lo
}

// Problems lists what is wrong with a sandbox: it is empty for a real one.
func (s Sandbox) Problems() []string {
	var p []string
	if s.UID == 0 || s.HostUID == 0 {
		p = append(p, "builds run as root")
	}
	for _, dir := range []string{"home", "root", "usr", "var"} {
		if slices.Contains(s.Root, dir) {
			p = append(p, "builds see the machine's /"+dir)
		}
	}
	if s.Paths > 10 {
		p = append(p, fmt.Sprintf("builds see %d paths of the store instead of their inputs", s.Paths))
	}
	if len(s.Interfaces) > 0 {
		p = append(p, "builds reach the network by "+strings.Join(s.Interfaces, ", "))
	}
	return p
}

// Probe proves that the sandbox works by a build that looks around in it. exe
// is a static executable of this machine that calls ProbeMain when it is started
// with args: hop3 itself, in doctor. It is added to the store and, with all else
// of the probe, removed from it again.
func (n *Nix) Probe(ctx context.Context, exe string, args ...string) (Features, error) {
	f := Features{Version: n.version, Mode: n.mode}
	if n.mode == Direct {
		var err error
		if f.BuildUsers, err = groupMembers("/etc/group", n.opt.BuildUsersGroup); err != nil {
			return f, fmt.Errorf("probe sandbox: %w", err)
		}
	}
	if err := checkStatic(exe); err != nil {
		return f, fmt.Errorf("probe sandbox: %w", err)
	}
	began := time.Now()
	dir, err := os.MkdirTemp(n.opt.StateDir, "probe-")
	if err != nil {
		return f, fmt.Errorf("probe sandbox: %w", err)
	}
	defer os.RemoveAll(dir)
	f.Sandbox, err = n.probe(ctx, dir, exe, args)
	f.Took = time.Since(began)
	if err != nil {
		return f, fmt.Errorf("probe sandbox: %w", err)
	}
	return f, nil
}

func (n *Nix) probe(ctx context.Context, dir, exe string, args []string) (Sandbox, error) {
	var s Sandbox
	name := "hop3-probe-tool"
	link := filepath.Join(dir, name)
	if err := copyExecutable(exe, link); err != nil {
		return s, err
	}
	tools, err := n.AddFixed(ctx, "sha256", true, link)
	if err != nil {
		return s, err
	}
	infos, err := n.ClosureInfo(ctx, tools[0])
	if err != nil {
		return s, err
	}
	text := probeFlake(infos[0].Hash, args, fmt.Sprint(os.Getpid(), time.Now().UnixNano()))
	if err := writeFile(filepath.Join(dir, "flake.nix"), text); err != nil {
		return s, err
	}
	if err := os.Remove(link); err != nil {
		return s, err
	}
	r, err := n.Build(ctx, BuildRequest{Flake: dir})
	if err != nil {
		return s, err
	}
	drvs, err := n.Closure(ctx, r.DrvPath)
	if err != nil {
		return s, err
	}
	// Another probe may hold them; then the next collection takes them.
	defer func() { _ = n.Delete(context.WithoutCancel(ctx), append(drvs, r.Out, tools[0])...) }()
	data, err := os.ReadFile(r.Out)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

// probeFlake is a flake whose only derivation runs the tool with args. The tool
// is a fixed output that is in the store already; pure evaluation allows no plain path.
func probeFlake(hash string, args []string, token string) string {
	var quoted []string
	for _, a := range args {
		quoted = append(quoted, quoteNix(a))
	}
	return `{ outputs = { self }: { packages.` + system() + `.default = derivation {
  name = "hop3-probe"; system = "` + system() + `"; args = [ ` + strings.Join(quoted, " ") + ` ]; token = ` + quoteNix(token) + `;
  builder = derivation { name = "hop3-probe-tool"; system = "` + system() + `"; builder = "/bin/false";
    outputHashMode = "recursive"; outputHashAlgo = "sha256"; outputHash = ` + quoteNix(hash) + `; };
}; }; }
`
}

// quoteNix writes a Nix string that means exactly s.
func quoteNix(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// ProbeMain is the inside of Probe: it looks around and writes what it sees to
// the derivation's output.
func ProbeMain() error {
	out := os.Getenv("out")
	if out == "" {
		return errors.New("look around: this is for a nix build to run")
	}
	s := Sandbox{UID: os.Getuid(), HostUID: hostUID()}
	for dir, add := range map[string]func(string){
		"/":      func(name string) { s.Root = append(s.Root, name) },
		StoreDir: func(string) { s.Paths++ },
	} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("look around: %w", err)
		}
		for _, e := range entries {
			add(e.Name())
		}
	}
	devices, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		return fmt.Errorf("look around: %w", err)
	}
	for line := range strings.Lines(string(devices)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name != "lo" {
			s.Interfaces = append(s.Interfaces, name)
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("look around: %w", err)
	}
	return os.WriteFile(out, data, 0o644)
}

// hostUID is the uid outside of the user namespace, -1 where it is not mapped.
func hostUID() int {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(data)) {
		var inside, outside, count int
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 && os.Getuid() >= inside && os.Getuid() < inside+count {
			return outside + os.Getuid() - inside
		}
	}
	return -1
}

// checkStatic refuses an executable that needs a loader: the sandbox has none.
func checkStatic(exe string) error {
	f, err := elf.Open(exe)
	if err != nil {
		return fmt.Errorf("read %s: %w", exe, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: build it with CGO_ENABLED=0", exe)
		}
	}
	return nil
}

func copyExecutable(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
