// Command web counts visits: in PostgreSQL by pgx, and in Redis by go-redis.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

func main() {
	ctx := context.Background()
	db, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(ctx, "create table if not exists visit (id serial)"); err != nil {
		log.Fatal(err)
	}
	at, err := redis.ParseURL(os.Getenv("VISITS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	cache := redis.NewClient(at)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var rows int
		if err := db.QueryRow(r.Context(), "with new as (insert into visit default values) select count(*) + 1 from visit").Scan(&rows); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		visits, err := cache.Incr(r.Context(), "visits").Result()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "hello from go with PostgreSQL and Redis, rows %d, visits %d\n", rows, visits)
	})
	log.Fatal(http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil))
}
