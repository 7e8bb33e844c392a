package sandbox

func hostTable() filterTable { return arm64Table() }
