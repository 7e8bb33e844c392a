package nixtmpl

import (
	"context"
	"crypto/sha1" // old lock files carry sha1, and nix checks it too
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hop3/detect"
	"hop3/nixtmpl/nix"
)

const (
	npmAtOnce     = 8                // downloads; registries answer in tens of milliseconds, so that more gain little
	npmTarballMax = 256 << 20        // bytes of one package
	npmTimeout    = 10 * time.Minute // of one download
	npmNews       = 3 * time.Second  // between two lines of progress
	npmName       = "npm.tgz"        // as the template names every package: path and hash decide, not the address
)

// An npmFile is a package that the store lacks.
type npmFile struct {
	detect.Tarball
	algo string
	sum  []byte
}

// prefetchNpm brings the packages of a lock file into the store at once, from the registry that npm is configured with.
// What cannot be fetched is left to the build, whose own step then says why.
func (b *Builder) prefetchNpm(ctx context.Context, r Request) error {
	registry := envValue(b.env(), "npm_config_registry")
	var tarballs []detect.Tarball
	for _, p := range append([]detect.Plan{r.Plan}, assetPlans(r.Plan)...) {
		if p.Node != nil {
			tarballs = append(tarballs, p.Node.Tarballs...)
		}
	}
	if registry == "" || len(tarballs) == 0 {
		return nil
	}
	missing, err := b.missingNpm(ctx, tarballs)
	if err != nil || len(missing) == 0 {
		return err
	}
	fmt.Fprintf(orDiscard(r.Progress), "fetching %d npm packages\n", len(missing))
	dir, err := os.MkdirTemp("", "hop3-npm-")
	if err != nil {
		return fmt.Errorf("fetch npm packages: %w", err)
	}
	defer os.RemoveAll(dir)
	paths, err := fetchNpm(ctx, r, registry, dir, missing)
	if err != nil {
		return fmt.Errorf("fetch npm packages: %w", err)
	}
	return b.addNpm(ctx, missing, paths)
}

func assetPlans(p detect.Plan) []detect.Plan {
	var list []detect.Plan
	for _, a := range p.Assets {
		list = append(list, *a.Plan)
	}
	return list
}

// fetchNpm downloads files below dir and returns where each is, "" for one that failed: the first failure is logged. It tells
// every npmNews how far it is.
func fetchNpm(ctx context.Context, r Request, registry, dir string, files []npmFile) ([]string, error) {
	paths := make([]string, len(files))
	var mu sync.Mutex // Progress and Log may be one writer
	done, failed := 0, false
	stop := every(npmNews, func() {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(orDiscard(r.Progress), "npm packages: %d of %d\n", done, len(files))
	})
	defer stop()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(npmAtOnce)
	for i, f := range files {
		g.Go(func() error {
			file := filepath.Join(dir, fmt.Sprint(i), npmName)
			err := f.download(gctx, registry, file)
			mu.Lock()
			defer mu.Unlock()
			done++
			if err == nil {
				paths[i] = file
				return nil
			}
			if !failed {
				fmt.Fprintf(orDiscard(r.Log), "npm packages: %v; left to the build\n", err)
			}
			failed = true
			return context.Cause(gctx) // only a cancelled build stops here
		})
	}
	return paths, g.Wait()
}

// every calls f each d until stop, which waits for a call that is under way.
func every(d time.Duration, f func()) (stop func()) {
	tick, quit, ended := time.NewTicker(d), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-tick.C:
				f()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(quit)
		<-ended
	}
}

func (b *Builder) addNpm(ctx context.Context, files []npmFile, paths []string) error {
	byAlgo := map[string][]string{}
	for i, f := range files {
		if paths[i] != "" {
			byAlgo[f.algo] = append(byAlgo[f.algo], paths[i])
		}
	}
	for algo, list := range byAlgo {
		if _, err := b.Nix.AddFixed(ctx, algo, false, list...); err != nil {
			return fmt.Errorf("add npm packages: %w", err)
		}
	}
	return nil
}

func (b *Builder) missingNpm(ctx context.Context, tarballs []detect.Tarball) ([]npmFile, error) {
	byPath := map[string]npmFile{}
	var paths []string
	for _, t := range tarballs {
		first, _, _ := strings.Cut(t.Integrity, " ")
		algo, text, _ := strings.Cut(first, "-")
		sum, err := base64.StdEncoding.DecodeString(text)
		if err != nil || algo != "sha512" && algo != "sha1" {
			continue // the build says what is wrong with it
		}
		p := nix.FixedPath(npmName, algo, hex.EncodeToString(sum), false)
		if _, twice := byPath[p]; p == "" || twice {
			continue
		}
		byPath[p] = npmFile{t, algo, sum}
		paths = append(paths, p)
	}
	if len(paths) == 0 {
		return nil, nil
	}
	valid, err := b.Nix.Valid(ctx, paths...)
	if err != nil {
		return nil, fmt.Errorf("look for npm packages: %w", err)
	}
	var missing []npmFile
	for _, p := range paths {
		if !valid[p] {
			missing = append(missing, byPath[p])
		}
	}
	return missing, nil
}

// download writes the package to file after checking its hash.
func (f npmFile) download(ctx context.Context, registry, file string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, npmTimeout)
	defer cancel()
	addr, err := f.address(registry)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr, nil)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", f.Name, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", f.Name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch %s: %s", f.Name, resp.Status)
	}
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("fetch %s: %w", f.Name, err)
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", f.Name, err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	h := f.hash()
	if _, err := io.Copy(io.MultiWriter(out, h), io.LimitReader(resp.Body, npmTarballMax)); err != nil {
		return fmt.Errorf("fetch %s: %w", f.Name, err)
	}
	if string(h.Sum(nil)) != string(f.sum) {
		return fmt.Errorf("fetch %s: the registry's file is not what the lock file says", f.Name)
	}
	return nil
}

func (f npmFile) hash() hash.Hash {
	if f.algo == "sha1" {
		return sha1.New()
	}
	return sha512.New()
}

// address is where the registry has the package: REGISTRY/@scope/name/-/name-1.2.3.tgz.
func (f npmFile) address(registry string) (string, error) {
	u, err := url.Parse(registry)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("npm registry %q is not an address", registry)
	}
	return u.JoinPath(f.Name, "-", path.Base(f.Name)+"-"+f.Version+".tgz").String(), nil
}

// envValue returns the value of a NAME=value list, "" if it is not there.
func envValue(env []string, name string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
