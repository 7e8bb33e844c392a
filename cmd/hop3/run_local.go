package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"hop3/detect"
	"hop3/internal/foreman"
	"hop3/nixtmpl"
	"hop3/procman/proxy"
)

// localPort is the PORT of the first process type; the n-th gets 100·n more, as with foreman.
const localPort = 5000

// runLocal builds a folder and runs its processes on this machine, in the folder itself, with the tools of the release
// first on the PATH.
func runLocal(ctx context.Context, args []string, stdio stdio) error {
	set := pflag.NewFlagSet("local", pflag.ContinueOnError)
	c := localConfig(set)
	port := set.Int("port", localPort, "PORT of the first process type; the others get 100 more each")
	dir, types, err := folderAndTypes(set, args)
	if err != nil {
		return err
	}
	plan, err := detectPlan(dir)
	if err != nil {
		return err
	}
	chosen, err := chooseTypes(plan, types)
	if err != nil {
		return err
	}
	t, err := openToolchains(ctx, *c, "", quietLog(stdio.err))
	if err != nil {
		return err
	}
	built, err := buildFolder(ctx, t, dir, plan, false, stdio.err)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return serveFolder(ctx, filepath.Join(dir, filepath.FromSlash(plan.Root), filepath.FromSlash(plan.Static)), *port, stdio)
	}
	list, err := localProcesses(ctx, dir, plan, built, chosen, *port)
	if err != nil {
		return err
	}
	colour := false
	if f, ok := stdio.out.(*os.File); ok {
		colour = isTerminal(f)
	}
	err = foreman.Run(ctx, list, stdio.out, colour)
	var exit *foreman.ExitError
	if errors.As(err, &exit) {
		_, _ = fmt.Fprintf(stdio.err, " !     %v; the others were stopped\n", exit) // a user that cannot be told has gone
		return &told{max(exit.Code, 0)}
	}
	return err
}

// folderAndTypes reads [DIR] [TYPE…]: the first operand is a folder if there is one of that name.
func folderAndTypes(set *pflag.FlagSet, args []string) (dir string, types []string, err error) {
	set.Usage = func() {}
	if err := set.Parse(args); err != nil {
		return "", nil, asUsage(set, err)
	}
	dir, types = ".", set.Args()
	if len(types) > 0 {
		if info, err := os.Stat(types[0]); err == nil && info.IsDir() || strings.Contains(types[0], "/") {
			dir, types = types[0], types[1:]
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", nil, fmt.Errorf("open the folder: %w", err)
	}
	if !info.IsDir() {
		return "", nil, &usageError{dir + " is not a folder", "name the folder of the app's code"}
	}
	dir, err = filepath.Abs(dir)
	return dir, types, err
}

// chooseTypes returns the process types to run: all without names. A static site has none.
func chooseTypes(plan detect.Plan, names []string) ([]detect.Process, error) {
	var have []string
	for _, p := range plan.Processes {
		have = append(have, p.Name)
	}
	for _, n := range names {
		if !slices.Contains(have, n) {
			return nil, &usageError{"no process type " + n, "the app has: " + strings.Join(have, ", ")}
		}
	}
	if len(names) == 0 {
		return plan.Processes, nil
	}
	return slices.DeleteFunc(slices.Clone(plan.Processes), func(p detect.Process) bool { return !slices.Contains(names, p.Name) }), nil
}

func localProcesses(ctx context.Context, dir string, plan detect.Plan, built nixtmpl.Build, chosen []detect.Process, port int) ([]foreman.Process, error) {
	app := filepath.Join(dir, filepath.FromSlash(plan.Root))
	env, err := localEnv(ctx, dir, plan, built)
	if err != nil {
		return nil, err
	}
	var list []foreman.Process
	for n, p := range chosen {
		name := p.Name + ".1"
		own := maps.Clone(env)
		own["PORT"], own["DYNO"], own["PS"] = strconv.Itoa(port+100*n), name, name
		var kv []string
		for _, k := range slices.Sorted(maps.Keys(own)) {
			kv = append(kv, k+"="+own[k])
		}
		argv, err := keepStore("/bin/sh", "-c", p.Command)
		if err != nil {
			return nil, err
		}
		list = append(list, foreman.Process{Name: name, Argv: argv, Env: kv, Dir: app})
	}
	return list, nil
}

// localEnv is the caller's environment, under the app's defaults, under its .env file; PATH begins with the release's tools.
func localEnv(ctx context.Context, dir string, plan detect.Plan, built nixtmpl.Build) (map[string]string, error) {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	maps.Copy(env, plan.Manifest.Env)
	b, err := os.ReadFile(filepath.Join(dir, ".env"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the settings for this machine: %w", err)
	}
	mine, err := detect.ParseEnv(b)
	if err != nil {
		return nil, fmt.Errorf("read .env: %w", err)
	}
	maps.Copy(env, mine)
	data := filepath.Join(userData(), "local", appNameOf(ctx, dir))
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make the app's data folder: %w", err)
	}
	env["PATH"] = filepath.Join(built.Out, "bin") + string(os.PathListSeparator) + env["PATH"]
	env["HOST"], env["BIND_ADDRESS"], env["DATA_DIR"], env["HOP3_APP"] = "127.0.0.1", "127.0.0.1", data, appNameOf(ctx, dir)
	if modules := filepath.Join(built.Out, "app", "node_modules"); plan.Stack == "node" && env["NODE_PATH"] == "" && !exists(filepath.Join(dir, "node_modules")) {
		env["NODE_PATH"] = modules
	}
	return env, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// serveFolder serves a static site as the router does.
func serveFolder(ctx context.Context, dir string, port int, stdio stdio) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("serve %s: %w", dir, err)
	}
	const host = "localhost"
	router := proxy.New(proxy.Options{})
	if err := router.Point(proxy.Route{App: host, Hosts: []string{host}, Static: &proxy.Static{Dir: dir}}); err != nil {
		return errors.Join(fmt.Errorf("serve %s: %w", dir, err), l.Close())
	}
	_, _ = fmt.Fprintf(stdio.out, "web.1 | %s at http://localhost:%d\n", dir, l.Addr().(*net.TCPAddr).Port) // a user that cannot be told has gone
	anyHost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.Host = host; router.ServeHTTP(w, r) })
	server := &http.Server{Handler: anyHost, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", dir, err)
	case <-ctx.Done():
		return server.Close()
	}
}

// buildFolder builds a copy of dir as a push would; the flake is written into the copy, the folder itself stays as it is.
func buildFolder(ctx context.Context, t *toolchains, dir string, plan detect.Plan, verbose bool, progress io.Writer) (nixtmpl.Build, error) {
	request, done, err := copyForBuild(ctx, dir, plan)
	if err != nil {
		return nixtmpl.Build{}, err
	}
	defer done()
	request.Progress, request.Verbose = progress, verbose
	built, err := t.builder.Build(ctx, request)
	tellTail(progress, err)
	return built, err
}
