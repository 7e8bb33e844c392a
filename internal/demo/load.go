package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A load sends requests at a steady rate until it is stopped.
type load struct {
	end          chan struct{}
	wg           sync.WaitGroup
	done, failed atomic.Int64
}

func startLoad(client *http.Client, request func(context.Context) (*http.Request, error)) *load {
	l := &load{end: make(chan struct{})}
	l.wg.Go(func() {
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		for {
			select {
			case <-l.end:
				return
			case <-tick.C:
				l.wg.Go(func() { l.one(client, request) })
			}
		}
	})
	return l
}

func (l *load) one(client *http.Client, request func(context.Context) (*http.Request, error)) {
	defer l.done.Add(1)
	req, err := request(context.Background()) // the client's own timeout ends it
	if err != nil {
		l.failed.Add(1)
		return
	}
	res, err := client.Do(req)
	if err != nil {
		l.failed.Add(1)
		return
	}
	_, err = io.Copy(io.Discard, res.Body)
	if cerr := res.Body.Close(); err != nil || cerr != nil || res.StatusCode != http.StatusOK {
		l.failed.Add(1)
	}
}

// stop waits for the requests under way and returns how many there were.
func (l *load) stop() (done, failed int64) {
	close(l.end)
	l.wg.Wait()
	return l.done.Load(), l.failed.Load()
}
