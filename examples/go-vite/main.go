// Hello serves the pages that Vite built into its binary.
package main

import (
	"embed"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
)

//go:embed all:web/dist
var web embed.FS

func main() {
	pages, err := fs.Sub(web, "web/dist")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), http.FileServerFS(pages)))
}
