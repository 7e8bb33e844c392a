package screen

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// Sizes of a character cell in the picture, in pixels; a monospaced font of 14
// pixels is 0.6 times as wide.
const (
	cellWidth  = 8.4
	cellHeight = 18.0
	fontSize   = 14
	margin     = 12.0
)

// The colours of the picture where the program chose none.
var (
	background = color.RGBA{0x16, 0x1b, 0x22, 0xff}
	foreground = color.RGBA{0xd6, 0xde, 0xe6, 0xff}
)

// palette are the sixteen colours that a terminal names.
var palette = []color.RGBA{
	{0x16, 0x1b, 0x22, 255}, {0xf4, 0x70, 0x67, 255}, {0x6b, 0xc4, 0x6d, 255}, {0xda, 0xaa, 0x3f, 255},
	{0x6c, 0xb6, 0xff, 255}, {0xdc, 0xbd, 0xfb, 255}, {0x56, 0xd4, 0xdd, 255}, {0xad, 0xba, 0xc7, 255},
	{0x63, 0x6e, 0x7b, 255}, {0xff, 0x93, 0x8a, 255}, {0x8d, 0xdb, 0x8c, 255}, {0xea, 0xc5, 0x5f, 255},
	{0x96, 0xd0, 0xff, 255}, {0xe2, 0xc5, 0xff, 255}, {0xb3, 0xf0, 0xff, 255}, {0xff, 0xff, 0xff, 255},
}

// SVG draws what stands on the screen.
func (s *Screen) SVG() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	cols, rows := s.term.Width(), s.term.Height()
	width, height := 2*margin+float64(cols)*cellWidth, 2*margin+float64(rows)*cellHeight
	var w bytes.Buffer
	fmt.Fprintf(&w, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="%d" xml:space="preserve">`+"\n", width, height, width, height, fontSize)
	fmt.Fprintf(&w, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", hex(background))
	for y := range rows {
		s.row(&w, y, cols)
	}
	fmt.Fprint(&w, "</svg>\n")
	return w.Bytes()
}

// A run is characters side by side that look alike.
type run struct {
	from, to int
	text     string
	look     look
}

type look struct {
	fore, back  color.RGBA
	bold, faint bool
}

func (s *Screen) row(w *bytes.Buffer, y, cols int) {
	var runs []run
	for x := 0; x < cols; {
		c := s.term.CellAt(x, y)
		text, wide, l := " ", 1, look{fore: foreground, back: background}
		if c != nil && c.Width > 0 {
			text, wide, l = c.Content, c.Width, lookOf(c)
		}
		if n := len(runs); n > 0 && runs[n-1].look == l {
			runs[n-1].to, runs[n-1].text = x+wide, runs[n-1].text+text
		} else {
			runs = append(runs, run{x, x + wide, text, l})
		}
		x += wide
	}
	for _, r := range runs {
		r.draw(w, margin+float64(y)*cellHeight)
	}
}

func (r run) draw(w *bytes.Buffer, top float64) {
	left, width := margin+float64(r.from)*cellWidth, float64(r.to-r.from)*cellWidth
	if r.look.back != background {
		fmt.Fprintf(w, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", left, top, width, cellHeight, hex(r.look.back))
	}
	if strings.TrimSpace(r.text) == "" {
		return
	}
	style := ""
	if r.look.bold {
		style += ` font-weight="bold"`
	}
	if r.look.faint {
		style += ` opacity="0.6"`
	}
	var text bytes.Buffer
	_ = xml.EscapeText(&text, []byte(r.text)) // a buffer takes everything
	fmt.Fprintf(w, `<text x="%.1f" y="%.1f" textLength="%.1f" fill="%s"%s>%s</text>`+"\n", left, top+cellHeight-5, width, hex(r.look.fore), style, text.String())
}

func lookOf(c *uv.Cell) look {
	l := look{
		fore: rgb(c.Style.Fg, foreground), back: rgb(c.Style.Bg, background),
		bold: c.Style.Attrs&uv.AttrBold != 0, faint: c.Style.Attrs&uv.AttrFaint != 0,
	}
	if c.Style.Attrs&uv.AttrReverse != 0 {
		l.fore, l.back = l.back, l.fore
	}
	return l
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// rgb is a colour of a cell, or otherwise where it has none.
func rgb(c color.Color, otherwise color.RGBA) color.RGBA {
	switch c := c.(type) {
	case nil:
		return otherwise
	case ansi.BasicColor:
		return palette[int(c)%len(palette)]
	case ansi.IndexedColor:
		if int(c) < len(palette) {
			return palette[c]
		}
	}
	r, g, b, _ := c.RGBA()
	return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0xff}
}
