package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"

	"git.yunhe.example.com/shared-libraries/go-kit/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("API退出", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	handler, err := newHandler(os.Getenv("API_GATEWAY_CONFIG"))
	if err != nil {
		return err
	}
	slog.Info("API启动", "version", version)
	return server.Run(ctx, ":8080", handler)
}
