module git.yunhe.example.com/shared-libraries/go-kit

go 1.23
