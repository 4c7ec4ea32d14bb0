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
		slog.Error("交易网关退出", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	handler, err := newHandler(os.Getenv("TRADE_GATEWAY_CONFIG"))
	if err != nil {
		return err
	}
	slog.Info("交易网关启动", "version", version)
	return server.Run(ctx, ":8080", handler)
}
