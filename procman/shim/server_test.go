package shim_test

const serverEnv = "HOP3_SHIM_TEST_SERVER"

func serverMain(string) int { return 0 }
