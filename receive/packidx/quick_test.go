//go:build !slow

package packidx_test

const slow = false
