package sandbox

func hostTable() filterTable { return amd64Table() }
