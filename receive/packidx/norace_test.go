//go:build !race

package packidx_test

const raceEnabled = false
