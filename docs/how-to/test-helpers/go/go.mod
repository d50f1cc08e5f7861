module example.com/leasebooktest

go 1.21
