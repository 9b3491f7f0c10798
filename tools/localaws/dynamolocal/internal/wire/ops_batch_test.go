package wire

import "testing"

func TestInOrder(t *testing.T) {
	const request = `{"TransactItems":[{"Put":{"Item":{"a":{"N":"1.0"},"b":{"S":"x"}}}},{}],"ClientRequestToken":"t"}`
	for other, same := range map[string]bool{
		request: true,
		`{"ClientRequestToken":"t", "TransactItems":[{"Put":{"Item":{"b":{"S":"\u0078"},"a":{"N":"1.0"}}}},{}]}`: true,
		`{"TransactItems":[{"Put":{"Item":{"a":{"N":"1"},"b":{"S":"x"}}}},{}],"ClientRequestToken":"t"}`:         false,
		`{"TransactItems":[{},{"Put":{"Item":{"a":{"N":"1.0"},"b":{"S":"x"}}}}],"ClientRequestToken":"t"}`:       false,
	} {
		if got := string(inOrder([]byte(other))) == string(inOrder([]byte(request))); got != same {
			t.Errorf("%s is the same request: %t", other, got)
		}
	}
}
