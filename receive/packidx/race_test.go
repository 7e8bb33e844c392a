//go:build race

package packidx_test

const raceEnabled = true
