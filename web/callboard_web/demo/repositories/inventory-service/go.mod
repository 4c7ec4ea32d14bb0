module git.yunhe.example.com/inventory-service/inventory-service

go 1.23

require git.yunhe.example.com/shared-libraries/go-kit v1.6.0
