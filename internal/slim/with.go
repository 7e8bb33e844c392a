//go:build slim

package slim

import _ "embed"

//go:embed program.bin
var program string
