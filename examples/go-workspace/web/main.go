// Command web answers every request with the greeting.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"

	"example.com/greet"
)

func main() {
	r := chi.NewRouter()
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, greet.Page) // a client that has gone
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), r))
}
