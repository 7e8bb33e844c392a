package deploy

import (
	"context"
	"errors"
	"testing"
)

func TestQueue_OneAtATimeInOrder(t *testing.T) {
	var q queue
	leave, err := q.enter(t.Context(), "blog", &ticket{who: "ann", what: "a restart"}, func(string) { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	waiting, done := make(chan string), make(chan struct{})
	for _, who := range []string{"bob", "eve"} {
		go func() {
			leave, err := q.enter(t.Context(), "blog", &ticket{who: who, what: "a restart"}, func(h string) { waiting <- h })
			if err != nil {
				t.Error(err)
			}
			order = append(order, who) // guarded by the queue: the race detector is the test
			leave()
			done <- struct{}{}
		}()
		if h := <-waiting; h == "" {
			t.Error("not told who holds the app")
		}
	}
	other, err := q.enter(t.Context(), "shop", &ticket{who: "ann", what: "a restart"}, func(string) { t.Error("waited for another app") })
	if err != nil {
		t.Fatal(err)
	}
	other()
	leave()
	<-done
	<-done
	if order[0] != "bob" || order[1] != "eve" {
		t.Errorf("order %v", order)
	}
}

func TestQueue_NewerPushSupersedes(t *testing.T) {
	var q queue
	leave, err := q.enter(t.Context(), "blog", &ticket{who: "ann", what: "a push", commit: "1111111aaa"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	waiting, first := make(chan struct{}), make(chan error)
	go func() {
		_, err := q.enter(t.Context(), "blog", &ticket{who: "bob", commit: "2222222bbb"}, func(string) { close(waiting) })
		first <- err
	}()
	<-waiting
	second := make(chan error)
	go func() {
		leave, err := q.enter(t.Context(), "blog", &ticket{who: "eve", commit: "3333333ccc"}, func(string) {})
		if err == nil {
			leave()
		}
		second <- err
	}()
	var s *Superseded
	if err := <-first; !errors.As(err, &s) || s.By != "3333333" {
		t.Errorf("the older push ended with %v", err)
	}
	leave()
	if err := <-second; err != nil {
		t.Error(err)
	}
}

func TestQueue_GivingUpFreesThePlace(t *testing.T) {
	var q queue
	leave, err := q.enter(t.Context(), "blog", &ticket{who: "ann"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("client gone")
	if _, err := q.enter(ctx, "blog", &ticket{who: "bob"}, func(string) { cancel(gone) }); !errors.Is(err, gone) {
		t.Errorf("gave up with %v", err)
	}
	leave()
	if len(q.apps) != 0 {
		t.Errorf("left %v", q.apps)
	}
}

func TestQueue_StopsBuildsUntilTheyPass(t *testing.T) {
	var q queue
	cause := &Stopped{By: "eve"}
	begin := func(app string) (*ticket, context.Context, func()) {
		ctx, cancel := context.WithCancelCause(t.Context())
		tk := &ticket{who: "ann", what: "a push", stop: cancel}
		leave, err := q.enter(ctx, app, tk, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		return tk, ctx, leave
	}
	if tk, err := q.stop("blog", cause); tk != nil || err != nil {
		t.Errorf("nothing to stop: %v, %v", tk, err)
	}
	first, ctx, leave := begin("blog")
	if got := q.tasks("blog"); len(got) != 1 || got[0].State != "building" {
		t.Errorf("%+v", got)
	}
	if tk, err := q.stop("blog", cause); tk != first || err != nil || context.Cause(ctx) != cause {
		t.Errorf("%v, %v, %v", tk, err, context.Cause(ctx))
	}
	if q.pass(first) == nil {
		t.Error("a cancelled build passed")
	}
	if _, free := q.try("blog", &ticket{}); free {
		t.Error("the app is not free")
	}
	leave()
	second, ctx, leave := begin("blog")
	if err := q.pass(second); err != nil {
		t.Error(err)
	}
	if _, err := q.stop("blog", cause); err == nil || ctx.Err() != nil {
		t.Errorf("stopped what is being started: %v", err)
	}
	leave()
	if leave, free := q.try("blog", &ticket{}); !free {
		t.Error("the app is free")
	} else {
		leave()
	}
	if len(q.apps) != 0 {
		t.Errorf("%v is left", q.apps)
	}
}

func TestQueue_TidyingYields(t *testing.T) {
	var q queue
	ctx, yield := context.WithCancel(t.Context())
	leave, free := q.try("blog", &ticket{who: "the server", what: "tidying up", yield: yield})
	if !free {
		t.Fatal("the app is not free")
	}
	go func() { // what tidies stops as soon as it is told
		<-ctx.Done()
		leave()
	}()
	push, err := q.enter(t.Context(), "blog", &ticket{who: "ann", what: "a push", commit: "1111111aaa"}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	push()
}
