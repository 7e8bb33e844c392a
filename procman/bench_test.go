package procman

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkSwap measures a whole swap of one web process, and what of it is not the app's own start: own-ms/op is
// hop3's share (PRODUCT.md section 12).
func BenchmarkSwap(b *testing.B) {
	for _, n := range []int{1, 4} {
		b.Run(fmt.Sprintf("web=%d", n), func(b *testing.B) {
			w := newWorld(b)
			var own time.Duration
			for b.Loop() {
				r := w.release("web: web")
				r.Formation["web"] = n
				res := w.swap(r, SwapOptions{Wait: true})
				own += res.Took - res.Boot
			}
			b.ReportMetric(float64(own.Microseconds())/1000/float64(b.N), "own-ms/op")
		})
	}
}

// BenchmarkSwapUnchanged measures a swap in which nothing has to be started.
func BenchmarkSwapUnchanged(b *testing.B) {
	w := newWorld(b)
	r := w.release("web: web")
	for b.Loop() {
		r.Number++
		w.swap(r, SwapOptions{})
	}
}

func BenchmarkSplit(b *testing.B) {
	for b.Loop() {
		if _, _, err := split(`gunicorn app:app --bind "$HOST:$PORT" --workers 4`, someVars); err != nil {
			b.Fatal(err)
		}
	}
}
