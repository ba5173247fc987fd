package audit_test

const roleVariable = "AUDIT_TEST_ROLE"

func play(string) int { return 1 }
