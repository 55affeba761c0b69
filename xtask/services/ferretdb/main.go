// ferretd serves the MongoDB protocol from SQLite or PostgreSQL: FerretDB 1 as one small executable on loopback.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "address to listen on")
	sqlite := flag.String("sqlite", "", "folder of the databases, which exists")
	postgres := flag.String("postgresql", "", "postgres://user@host:port/database")
	flag.Parse()

	config := &ferretdb.Config{
		Listener: ferretdb.ListenerConfig{TCP: *listen},
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	switch {
	case *sqlite != "":
		config.Handler, config.SQLiteURL = "sqlite", "file:"+*sqlite+"/"
	case *postgres != "":
		config.Handler, config.PostgreSQLURL = "postgresql", *postgres
	default:
		fail("give -sqlite or -postgresql")
	}

	server, err := ferretdb.New(config)
	if err != nil {
		fail(err.Error())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := server.Run(ctx); err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	os.Stderr.WriteString("ferretd: " + why + "\n")
	os.Exit(1)
}
