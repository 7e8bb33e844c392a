package deploy

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// archiveOf is a backup of the app blog with those entries.
func archiveOf(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	index := `{"version":1,"apps":["blog"]}`
	for n, h := range append([]tar.Header{{Name: backupHead, Typeflag: tar.TypeReg, Size: int64(len(index))}}, entries...) {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("x", int(h.Size))
		if n == 0 {
			text = index
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func regular(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 3} }
func folderAt(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}
}
func linkAt(name, to string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
}

// unpack reads an archive into a folder inside of a new one, which it returns.
func unpack(t testing.TB, archive []byte) (outside string, err error) {
	t.Helper()
	outside = t.TempDir()
	stage := filepath.Join(outside, "stage")
	if err := os.Mkdir(stage, 0o700); err != nil {
		t.Fatal(err)
	}
	u := &unpacker{ctx: t.Context(), stage: stage, room: 1 << 20, tar: tar.NewReader(bytes.NewReader(archive))}
	if err := u.index(); err != nil {
		return outside, err
	}
	return outside, u.rest()
}

func TestUnpack_TakesWhatBackupWrites(t *testing.T) {
	outside, err := unpack(t, archiveOf(t,
		regular("keys.json"), folderAt("apps/"), folderAt("apps/blog"), regular("apps/blog/app.json"), regular("apps/blog/repo.json"), regular("apps/blog/repo.pack"),
		folderAt("apps/blog/releases"), folderAt("apps/blog/releases/1"), regular("apps/blog/releases/1/flake.nix"),
		linkAt("apps/blog/releases/1/result", "/nix/store/abc-blog-0"), linkAt("apps/blog/releases/1/result-2", "/nix/store/abc-deps"), linkAt("apps/blog/releases/1/layer-deps", "result-2"),
		folderAt("apps/blog/data"), folderAt("apps/blog/data/a"), regular("apps/blog/data/a/b"), linkAt("apps/blog/data/up", "../../../../etc/passwd"),
	))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		"keys.json": 0, "apps/blog/releases/1/flake.nix": 0, "apps/blog/releases/1/result": fs.ModeSymlink, "apps/blog/data/a/b": 0, "apps/blog/data/up": fs.ModeSymlink,
	} {
		if info, err := os.Lstat(filepath.Join(outside, "stage", name)); err != nil || info.Mode().Type() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// Whoever restores has the archive in his hands: it may make nothing but what a backup holds, where that lies.
func TestUnpack_RefusesHostileArchives(t *testing.T) {
	big := regular("apps/blog/data/big")
	big.Size = 2 << 20
	whole := archiveOf(t, regular("apps/blog/data/a"))
	for name, archive := range map[string][]byte{
		"climbs":                        archiveOf(t, regular("../x")),
		"climbs from within":            archiveOf(t, regular("apps/blog/data/../../../../x")),
		"absolute":                      archiveOf(t, regular("/etc/x")),
		"other app":                     archiveOf(t, regular("apps/other/data/x")),
		"other part":                    archiveOf(t, regular("apps/blog/run/x")),
		"data is a link":                archiveOf(t, linkAt("apps/blog/data", "/")),
		"releases is a link":            archiveOf(t, linkAt("apps/blog/releases", "/etc")),
		"the app is a link":             archiveOf(t, linkAt("apps/blog", "/etc")),
		"the record is a link":          archiveOf(t, linkAt("apps/blog/app.json", "/etc/passwd")),
		"the keys are a link":           archiveOf(t, linkAt("keys.json", "/etc/passwd")),
		"a paper is a link":             archiveOf(t, linkAt("apps/blog/releases/1/build.log", "/etc/shadow")),
		"a root leads elsewhere":        archiveOf(t, linkAt("apps/blog/releases/1/result", "/etc")),
		"a root leads out of the store": archiveOf(t, linkAt("apps/blog/releases/1/result", "/nix/store/../../etc")),
		"a root leads into a path":      archiveOf(t, linkAt("apps/blog/releases/1/result", "/nix/store/abc/etc")),
		"below a link":                  archiveOf(t, linkAt("apps/blog/data/up", "../releases"), linkAt("apps/blog/data/up/build.log", "/etc/shadow")),
		"a folder over a link":          archiveOf(t, linkAt("apps/blog/data/up", "../releases"), folderAt("apps/blog/data/up")),
		"twice":                         archiveOf(t, regular("apps/blog/data/a"), regular("apps/blog/data/a")),
		"a file over a link":            archiveOf(t, linkAt("apps/blog/data/a", "b"), regular("apps/blog/data/a")),
		"hard link":                     archiveOf(t, tar.Header{Name: "apps/blog/data/h", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}),
		"device":                        archiveOf(t, tar.Header{Name: "apps/blog/data/d", Typeflag: tar.TypeBlock}),
		"pipe":                          archiveOf(t, tar.Header{Name: "apps/blog/data/p", Typeflag: tar.TypeFifo}),
		"larger than the disk":          archiveOf(t, big),
		"cut short":                     whole[:len(whole)-1024-3*512/2],
		"second index":                  archiveOf(t, regular(backupHead)),
		"sparse":                        sparseArchive(t),
	} {
		outside, err := unpack(t, archive)
		if _, ok := errors.AsType[*BackupError](err); !ok && !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
		checkOutside(t, name, outside)
	}
	for name, index := range map[string]string{
		"no version": `{}`, "other version": `{"version":2}`, "no name": `{"version":1,"apps":["../x"]}`, "no JSON": `x`,
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: backupHead, Size: int64(len(index)), Mode: 0o600}), func() error { _, err := io.WriteString(w, index); return err }(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := unpack(t, b.Bytes()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// sparseArchive stands for a file of a terabyte with a few bytes, as GNU tar does.
func sparseArchive(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "apps/blog/data")
	err := errors.Join(os.MkdirAll(data, 0o755), os.WriteFile(filepath.Join(data, "a"), []byte("x"), 0o644), os.Truncate(filepath.Join(data, "a"), 1<<40),
		os.WriteFile(filepath.Join(dir, backupHead), []byte(`{"version":1,"apps":["blog"]}`), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := exec.Command("tar", "-C", dir, "-S", "--format=posix", "-c", backupHead, "apps/blog/data/a").Output()
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// checkOutside wants nothing to lie beside the stage, and no link but in an app's data.
func checkOutside(t testing.TB, name, outside string) {
	t.Helper()
	list, err := os.ReadDir(outside)
	if err != nil || len(list) != 1 {
		t.Errorf("%s: %v lie beside the stage, %v", name, list, err)
	}
	err = filepath.WalkDir(filepath.Join(outside, "stage"), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(filepath.Join(outside, "stage"), p)
		inData := strings.HasPrefix(rel, "apps/blog/data/")
		if d.Type()&fs.ModeSymlink != 0 && !inData {
			if to, err := os.Readlink(p); err != nil || filepath.Dir(to) != "/nix/store" {
				t.Errorf("%s: %s leads to %s", name, rel, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzUnpack: whatever the archive holds, nothing lies outside of the stage, and no link leads the server out of it.
func FuzzUnpack(f *testing.F) {
	f.Add(archiveOf(f, folderAt("apps/blog/data"), regular("apps/blog/data/a"), linkAt("apps/blog/data/l", "/"), regular("apps/blog/data/l/x")))
	f.Add(archiveOf(f, linkAt("apps/blog/releases/1/result", "/nix/store/x")))
	f.Add(archiveOf(f, linkAt("apps/blog/data", "/tmp"), regular("apps/blog/data/x")))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		outside, err := unpack(t, archive)
		if err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
		checkOutside(t, "fuzz", outside)
	})
}

// An app writes while it is backed up: the archive can be read all the same.
func TestArchive_OfFilesThatChange(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside") // writes below follow the link: it must lead to a file of ours
	if err := os.WriteFile(outside, []byte("root:"), 0o600); err != nil {
		t.Fatal(err)
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			for i, name := range []string{"grows", "shrinks", "goes", "turns"} {
				path := filepath.Join(dir, name)
				switch (n + i) % 4 {
				case 0:
					_ = os.WriteFile(path, bytes.Repeat([]byte("x"), 1+n%100_000), 0o644)
				case 1:
					_ = os.Truncate(path, int64(n%1000))
				case 2:
					_ = os.RemoveAll(path)
				case 3:
					_ = os.Symlink(outside, path)
				}
			}
		}
	}()
	for range 10 {
		var b bytes.Buffer
		a := &archive{w: tar.NewWriter(&b), ctx: context.Background(), talk: NewTalk(io.Discard), now: time.Now()}
		if err := errors.Join(a.tree(dir, "apps/blog/data"), a.w.Close()); err != nil {
			t.Fatal(err)
		}
		r := tar.NewReader(&b)
		for {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil || strings.Contains(string(text), "root:") {
				t.Fatalf("%s: %v", h.Name, err)
			}
		}
	}
	close(end)
	<-done
}
