package packidx

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// complete appends the bases that a thin pack left out because the repository has them. As in git they are looked for in
// the order of the deltas: one of those may turn out to be the base that another lacks.
func (p *pack) complete(ctx context.Context) error {
	if int(p.resolved.Load()) == p.deltas {
		return nil
	}
	w := p.newWorker(1)
	defer w.close()
	for at := range p.groups.list {
		g := &p.groups.list[at]
		if g.head == 0 || p.options.Store == nil {
			continue
		}
		i, err := p.appendBase(g.base)
		if err != nil {
			return err
		}
		if i < 0 {
			continue
		}
		p.table.adopt(i, p.groups.take(g.base))
		if err := w.tree(ctx, i); err != nil {
			return err
		}
	}
	if left := p.deltas - int(p.resolved.Load()); left > 0 {
		return refuse("pack has %d unresolved deltas", left)
	}
	return p.rehash()
}

// appendBase returns the number of the new entry, -1 if the repository has no such object.
func (p *pack) appendBase(id ID) (int, error) {
	kind, size, content, err := p.options.Store.Open(id)
	if err != nil {
		return 0, fmt.Errorf("read base: %w", err)
	}
	if kind == None {
		return -1, nil
	}
	if size > p.options.Limits.ObjectBytes {
		return 0, tooLarge(size)
	}
	crc := crc32.NewIEEE()
	file := io.NewOffsetWriter(p.file, p.end)
	out := bufio.NewWriterSize(io.MultiWriter(file, crc), 32<<10)
	out.Write(appendHeader(nil, kind, size)) // a bufio.Writer keeps its error for Flush
	packed, _ := zlib.NewWriterLevel(out, zlib.BestSpeed)
	hash := p.newHasher()
	hash.start(kind, size)
	n, err := io.Copy(io.MultiWriter(packed, hash), content)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, fmt.Errorf("append base: %w", err)
	}
	if err := packed.Close(); err != nil {
		return 0, fmt.Errorf("append base: %w", err)
	}
	if err := out.Flush(); err != nil {
		return 0, fmt.Errorf("append base: %w", err)
	}
	if got, err := hash.id(); err != nil || got != id {
		return 0, refuse("local object %s is corrupt", id)
	}
	i := p.table.add(p.end, kind)
	p.table.resolved(i, id, kind)
	p.table.setCRC(i, crc.Sum32())
	p.appended++
	p.end, err = file.Seek(0, io.SeekCurrent)
	p.end += p.table.offset(i)
	return i, err
}

func appendHeader(b []byte, kind Kind, size int64) []byte {
	c := byte(kind)<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b = append(b, c|0x80)
		c = byte(size & 0x7f)
	}
	return append(b, c)
}

// rehash writes the new number of objects and the new checksum.
func (p *pack) rehash() error {
	count := binary.BigEndian.AppendUint32(nil, uint32(p.table.len()))
	if _, err := p.file.WriteAt(count, 8); err != nil {
		return fmt.Errorf("complete pack: %w", err)
	}
	sum := sha1.New()
	if _, err := io.Copy(sum, io.NewSectionReader(p.file, 0, p.end)); err != nil {
		return fmt.Errorf("complete pack: %w", err)
	}
	sum.Sum(p.sum[:0])
	if _, err := p.file.WriteAt(p.sum[:], p.end); err != nil {
		return fmt.Errorf("complete pack: %w", err)
	}
	return nil
}
