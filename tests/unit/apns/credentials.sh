#!/bin/sh
# SPDX-License-Identifier: ISC
# Makes the credentials that test_credential reads.
# usage: credentials.sh <directory>
set -e
exec 2>"$1/log"
cd "$1"

cat >conf <<'CONF'
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:TRUE
[markers]
1.2.840.113635.100.6.3.1 = DER:0500
1.2.840.113635.100.6.3.2 = DER:0500
[apple]
1.2.840.113635.100.6.3.1 = DER:0500
1.2.840.113635.100.6.3.2 = DER:0500
1.2.840.113635.100.6.3.6 = ASN1:SEQUENCE:topics
[topics]
a = UTF8:com.example.mail
b = SEQUENCE:kind
c = UTF8:com.example.mail.voip
d = SEQUENCE:kind
e = UTF8:com.example.mail.voip
f = INTEGER:7
g = UTF8:with space
[kind]
a = UTF8:app.kind
[development]
1.2.840.113635.100.6.3.1 = DER:0500
[nested]
1.2.840.113635.100.6.3.6 = ASN1:SEQUENCE:wrapped
[wrapped]
a = SEQUENCE:topics
[cut]
1.2.840.113635.100.6.3.6 = DER:30200c10636f6d2e6578
[long]
1.2.840.113635.100.6.3.6 = DER:3084ffffffff0c03612e62
[nothing]
basicConstraints = CA:FALSE
CONF

# sign <name> <subject> <section>: a certificate for leaf.key
sign() {
	openssl req -new -key leaf.key -subj "$2" -config conf |
		openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial \
			-days 365 -extfile conf -extensions "$3" -out "$1"
}

ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
# shellcheck disable=SC2086
openssl req -x509 $ec -keyout ca.key -out ca.pem -subj /CN=ca -days 3650 \
	-config conf -extensions ca
openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out leaf.key
openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out other.key
chmod 600 ./*.key

sign apple.pem /UID=com.example.mail/CN=push apple
sign listed.pem /CN=push apple
sign uid.pem /UID=com.example.mail/CN=push markers
sign team.pem /UID=A1B2C3D4E5/CN=push nothing
sign development.pem /UID=com.example.mail/CN=push development
sign nested.pem /UID=com.example.uid/CN=push nested
sign cut.pem /UID=com.example.uid/CN=push cut
sign long.pem /UID=com.example.uid/CN=push long
openssl req -x509 -key leaf.key -subj /UID=com.example.mail/CN=self \
	-days 365 -out self.pem -config conf -extensions nothing

# One file with everything, the leaf last but the key.
{
	cat ca.pem
	openssl req -x509 -key other.key -subj /CN=other -days 9 -config conf \
		-extensions nothing
	cat apple.pem leaf.key
} >all.pem
cp all.pem exposed.pem
chmod 600 all.pem
chmod 644 exposed.pem

openssl pkcs8 -topk8 -v2 aes256 -passout pass:x -in leaf.key -out encrypted.key
openssl ec -aes128 -passout pass:x -in leaf.key -out old-encrypted.key
openssl pkcs12 -export -passout pass: -in apple.pem -inkey leaf.key \
	-out apple.p12
echo 'this is no certificate' >garbage.pem
: >empty.pem
{
	head -n 3 apple.pem
	echo '-----END CERTIFICATE-----'
} >damaged.pem
{
	cat apple.pem
	cat damaged.pem
} >half-damaged.pem
{
	head -n 2 leaf.key
	echo '-----END PRIVATE KEY-----'
} >damaged.key

openssl req -x509 -newkey rsa:1024 -nodes -keyout small.key -out small.pem \
	-subj /CN=small -days 9 -config conf -extensions nothing
openssl req -new -key leaf.key -subj /UID=com.example.mail -config conf |
	openssl x509 -req -sha1 -CA ca.pem -CAkey ca.key -days 9 -out sha1.pem
