package receive

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	pktMax  = 65520      // longest pkt-line, its own four digits included (gitprotocol-common(5))
	dataMax = pktMax - 5 // what is left for data after the length and the band
	zeroID  = "0000000000000000000000000000000000000000"
	idLen   = len(zeroID)
)

// errFlush is what readPkt returns for a flush packet.
var errFlush = errors.New("flush packet")

// readPkt reads one pkt-line. The delimiter packets of protocol version 2 are errors: nothing
// that is read here may hold them. io.EOF means that there was no byte at all.
func readPkt(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := 0
	for _, c := range head {
		d := hexDigit(c)
		if d < 0 {
			return nil, fmt.Errorf("pkt-line length %q is not hexadecimal", head)
		}
		n = n<<4 | d
	}
	if n == 0 {
		return nil, errFlush
	}
	if n < 4 || n > pktMax {
		return nil, fmt.Errorf("pkt-line length %d is out of range", n)
	}
	line := make([]byte, n-4)
	if _, err := io.ReadFull(r, line); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return line, nil
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// pkt formats one pkt-line. The caller keeps the payload below pktMax.
func pkt(format string, args ...any) string {
	s := fmt.Sprintf(format, args...)
	return fmt.Sprintf("%04x%s", len(s)+4, s)
}

const flushPkt = "0000"

// WriteError refuses a call before anything was advertised: git prints "fatal: remote error: msg".
// It must be the first thing that is written.
func WriteError(w io.Writer, msg string) error {
	_, err := io.WriteString(w, pkt("ERR %s", sanitise(msg)))
	return err
}

// sanitise makes text fit for one line of the protocol: no control characters, at most 1,000 bytes.
func sanitise(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
	const longest = 1000 // far below one packet, more than anyone reads
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

func isID(s string) bool {
	if len(s) != idLen {
		return false
	}
	for i := range len(s) {
		if d := hexDigit(s[i]); d < 0 || s[i] >= 'A' && s[i] <= 'F' {
			return false
		}
	}
	return true
}

func idOrEmpty(id string) string {
	if id == zeroID {
		return ""
	}
	return id
}

func idOrZero(id string) string {
	if id == "" {
		return zeroID
	}
	return id
}
