package receive

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"hop3/receive/packidx"
)

// GoIngester is package packidx. Of git it needs one child at most, which reads what the repository has already.
type GoIngester struct{}

// Ingest implements Ingester.
func (GoIngester) Ingest(ctx context.Context, in Ingest) (whole bool, err error) {
	store := &objectStore{ctx: ctx, view: in.Repo.view(), memory: in.Limits.Memory}
	defer store.close()
	o := packidx.Options{
		Dir: filepath.Join(in.Objects, "pack"), Store: store,
		Limits: packidx.Limits{Objects: in.Limits.Objects, ObjectBytes: in.Limits.ObjectBytes, TotalBytes: in.Limits.InflatedBytes},
	}
	if o.Shallow, err = in.grafts(); err != nil {
		return false, err
	}
	res, err := packidx.Index(ctx, in.Pack, o)
	if e, ok := errors.AsType[*packidx.Error](err); ok {
		return false, fmt.Errorf("the pack is not acceptable: %w", e)
	}
	if err != nil {
		return false, err
	}
	defer res.Close()
	tip, ok := parseID(in.Tip)
	return ok && res.Whole && len(o.Shallow) == 0 && res.Has(tip), nil
}

// grafts returns the commits that may lack their parents.
func (in *Ingest) grafts() ([]packidx.ID, error) {
	name := in.Shallow
	if name == "" {
		name = filepath.Join(in.Repo.dir, "shallow")
	}
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read shallow: %w", err)
	}
	var ids []packidx.ID
	for word := range strings.FieldsSeq(string(b)) {
		if id, ok := parseID(word); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func parseID(s string) (id packidx.ID, ok bool) {
	if !isID(s) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

// objectStore is a git cat-file that answers packidx; it is started at the first question.
type objectStore struct {
	ctx    context.Context // of the one Ingest that this lives for
	view   view
	memory uint64

	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	left io.LimitedReader // of the last content and the line feed after it
}

func (s *objectStore) start() error {
	cmd := s.view.command(s.ctx, "cat-file", "--batch-command")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.in, s.out = cmd, in, bufio.NewReaderSize(out, 64<<10)
	s.left.R = s.out
	return limitMemory(cmd, s.memory)
}

func (s *objectStore) close() {
	if s.cmd == nil {
		return
	}
	s.in.Close() // ends the child
	io.Copy(io.Discard, s.out)
	_ = s.cmd.Wait() // whoever needed an answer has got it
}

// ready starts the child, or passes over what was not read of the last answer.
func (s *objectStore) ready() error {
	if s.cmd == nil {
		if err := s.start(); err != nil {
			return fmt.Errorf("read objects: %w", err)
		}
	}
	_, err := io.Copy(io.Discard, &s.left)
	return err
}

// Kinds implements packidx.Store.
func (s *objectStore) Kinds(ids []packidx.ID) ([]packidx.Kind, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	asked := make(chan error, 1)
	go func() { // ends when all is asked, or the child with ctx
		w := bufio.NewWriter(s.in)
		for _, id := range ids {
			fmt.Fprintf(w, "info %s\n", id) // a bufio.Writer keeps its error for Flush
		}
		asked <- w.Flush()
	}()
	kinds := make([]packidx.Kind, len(ids))
	for i, id := range ids {
		kind, _, err := s.answer(id)
		if err != nil {
			return nil, err
		}
		kinds[i] = kind
	}
	return kinds, <-asked
}

// Open implements packidx.Store.
func (s *objectStore) Open(id packidx.ID) (packidx.Kind, int64, io.Reader, error) {
	if err := s.ready(); err != nil {
		return packidx.None, 0, nil, err
	}
	if _, err := fmt.Fprintf(s.in, "contents %s\n", id); err != nil {
		return packidx.None, 0, nil, err
	}
	kind, size, err := s.answer(id)
	if err != nil || kind == packidx.None {
		return packidx.None, 0, nil, err
	}
	s.left.N = size + 1
	return kind, size, io.LimitReader(&s.left, size), nil
}

// answer reads "ID KIND SIZE" or "ID missing".
func (s *objectStore) answer(id packidx.ID) (packidx.Kind, int64, error) {
	line, err := s.out.ReadString('\n')
	if err != nil {
		return packidx.None, 0, early(err)
	}
	f := strings.Fields(line)
	if len(f) == 2 && f[1] == "missing" {
		return packidx.None, 0, nil
	}
	if len(f) != 3 || f[0] != id.String() {
		return packidx.None, 0, fmt.Errorf("read objects: unexpected answer %q", line)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	return packidx.KindOf(f[1]), size, err
}
