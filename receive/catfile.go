package receive

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// catFile is a git cat-file that answers one question after the other.
type catFile struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	in     io.WriteCloser
	out    *bufio.Reader
	closed func() // kills the child and waits for it

	mu  sync.Mutex // one question at a time; held while asking
	err error      // an answer was lost: the stream cannot be used further
}

// startCat starts the child, --batch for contents and --batch-check for sizes, which ends with ctx or with close.
func startCat(ctx context.Context, v view, args ...string) (*catFile, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := v.command(ctx, append([]string{"cat-file"}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("read objects: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("read objects: %w", err)
	}
	c := &catFile{cmd: cmd, cancel: cancel, in: in, out: bufio.NewReaderSize(out, 64<<10)}
	c.closed = sync.OnceFunc(func() {
		cancel()
		_ = cmd.Wait() // it was killed: there is nothing to learn
	})
	return c, nil
}

func (c *catFile) close() { c.closed() }

// blob returns the content of a file, whose size the caller has found bearable.
func (c *catFile) blob(e *entry) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	data := make([]byte, e.size.Load())
	_, err := io.WriteString(c.in, e.id+"\n")
	if err == nil {
		err = c.answer(e, sliceWriter{data})
	}
	if err != nil {
		c.err = fmt.Errorf("read object %s: %w", short(e.id), err)
	}
	return data, c.err
}

const maxCommit = 1 << 20 // a longer message is not one that a person wrote

// commit returns a commit as it is stored. It is the first and only question to its child: what is
// too large or of another type stays unread.
func (c *catFile) commit(id string) (string, error) {
	if _, err := io.WriteString(c.in, id+"\n"); err != nil {
		return "", err
	}
	head, err := c.out.ReadString('\n')
	if err != nil {
		return "", early(err)
	}
	f := strings.Fields(head)
	if len(f) != 3 {
		return "", &TypeError{ID: id}
	}
	if f[1] != "commit" {
		return "", &TypeError{ID: id, Type: f[1]}
	}
	size, err := strconv.Atoi(f[2])
	if err != nil || size > maxCommit {
		return "", fmt.Errorf("commit is larger than %d MiB", maxCommit>>20)
	}
	raw := make([]byte, size)
	_, err = io.ReadFull(c.out, raw)
	return string(raw), err
}

type sliceWriter struct{ b []byte }

func (s sliceWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.ReadFull(r, s.b)
	return int64(n), err
}
func (s sliceWriter) Write(p []byte) (int, error) { return copy(s.b, p), nil }

// answer copies the answer to the question for e to w.
func (c *catFile) answer(e *entry, w io.Writer) error {
	head, err := c.out.ReadString('\n')
	if err != nil {
		return early(err)
	}
	f := strings.Fields(head)
	if len(f) != 3 || f[0] != e.id || f[1] != "blob" || f[2] != strconv.FormatInt(e.size.Load(), 10) {
		return fmt.Errorf("unexpected answer %q", head)
	}
	if _, err := io.CopyN(w, c.out, e.size.Load()); err != nil {
		return early(err)
	}
	_, err = c.out.Discard(1)
	return err
}
