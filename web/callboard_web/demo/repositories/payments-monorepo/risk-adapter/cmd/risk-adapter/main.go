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
		slog.Error("风控适配退出", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	handler, err := newHandler(os.Getenv("RISK_ADAPTER_CONFIG"))
	if err != nil {
		return err
	}
	slog.Info("风控适配启动", "version", version)
	return server.Run(ctx, ":8080", handler)
}
