package main

import (
	"log/slog"
	"net/http"
	"os"

	"git.yunhe.example.com/inventory-service/internal/stock"
)

func main() {
	store, err := stock.Open(os.Getenv("DATABASE_URL"))
	if err != nil {
		slog.Error("数据库不可用", "error", err)
		os.Exit(1)
	}
	slog.Info("库存服务启动", "address", ":8080")
	if err := http.ListenAndServe(":8080", stock.Routes(store)); err != nil {
		slog.Error("服务退出", "error", err)
	}
}
