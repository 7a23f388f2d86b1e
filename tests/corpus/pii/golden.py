"""Texts with personal data that must be found, whole, and texts like them that hold none.

for kind, text, value in FOUND: ...

Reserved or published values only: RFC 2606 names, 555-01xx, RFC 5737 and 3849 addresses would be reserved, so public resolvers; the card,
IBAN and identity numbers that their issuers, registries and encyclopaedias print as examples.
"""

PLAIN = {
    "email": ["anna@example.com", "a.b+c@mail.example.co.uk", "o'brien@example.org", "почта@пример.рф"],
    "phone": ["+1 202-555-0143", "(202) 555-0143", "+44 20 7946 0018", "030 901820", "+49 30 901820", "202.555.0143", "+33 1 42 68 53 00",
              "202-555-0143 ext. 12"],
    "ipv4": ["8.8.8.8", "93.184.216.34"],
    "ipv6": ["2606:2800:220:1:248:1893:25c8:1946", "2001:4860:4860::8888"],
    "ip_private": ["192.168.0.1", "10.0.0.7", "127.0.0.1", "fe80::1ff:fe23:4567:890a"],
    "mac": ["00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606", "gb82 west 1234 5698 7654 32",
             "NL91-ABNA-0417-1643-00"],
    "card": ["4111 1111 1111 1111", "5555555555554444", "3782 822463 10005", "6011111111111117", "4111-1111-1111-1111"],
    "national_id": [
        "078-05-1120", "111.444.777-35", "12345678Z", "11010519491231002X", "2 55 08 14 168 025 38", "RSSMRA85T10A562S", "X1234567L",
        "756.9217.0769.85", "85.07.30-033.28", "131052-308T", "9999 4105 7058",
    ],
    "credential": [
        "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1B2" * 9, "xoxb-" + "1234567890-abcdef", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    ],
    "address": [
        "221B Baker Street, London NW1 6XE", "1600 Pennsylvania Avenue NW, Washington, DC 20500", "350 Fifth Ave, New York, NY 10118",
        "10 Downing Street", "Hauptstraße 5, 10115 Berlin", "Berliner Allee 12", "12 rue de la Paix, 75002 Paris",
        "55 avenue des Champs-Élysées", "Calle Mayor 12, 28013 Madrid", "Via Roma 12, 00184 Roma", "P.O. Box 1234",
        "Keizersgracht 12, 1015 CW Amsterdam",
    ],
}  # fmt: skip

IN_CONTEXT = [  # kind, text, what is found in it
    ("national_id", "SSN 078051120", "078051120"),
    ("national_id", "NHS number: 943 476 5919", "943 476 5919"),
    ("national_id", "PESEL 44051401359", "44051401359"),
    ("national_id", "BSN: 111222333", "111222333"),
    ("national_id", "Steuer-ID 86 095 742 719", "86 095 742 719"),
    ("national_id", "National Insurance number QQ 12 34 56 C".replace("QQ", "AB"), "AB 12 34 56 C"),
    ("national_id", "CPF 11144477735", "11144477735"),
    ("national_id", "personnummer 811228-9874", "811228-9874"),
    ("national_id", "SIN 046 454 286", "046 454 286"),
    ("passport", "Passport No. X1234567", "X1234567"),
    ("passport", "Her passport number is 123456789.", "123456789"),
    ("passport", "Reisepassnummer: C01X00T47".replace("C01X00T47", "C01X00474"), "C01X00474"),
    ("driving_licence", "Driver's license: D1234567", "D1234567"),
    ("driving_licence", "driving licence number MORGA753116SM9IJ", "MORGA753116SM9IJ"),
    ("birth_date", "Date of birth: 12/03/1980", "12/03/1980"),
    ("birth_date", "DOB 1980-03-12", "1980-03-12"),
    ("birth_date", "geboren am 12. März 1980", "12. März 1980"),
    ("birth_date", "née le 12 mars 1980", "12 mars 1980"),
    ("birth_date", "She was born on March 12, 1980.", "March 12, 1980"),
    ("credential", "password = 'h7Gk29xQ!t'", "h7Gk29xQ!t"),
    ("credential", "password: hunter2", "hunter2"),
    ("credential", "Passwort: P@ssw0rd", "P@ssw0rd"),
    ("credential", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("credential", "https://user:s3cr3tpass@example.com/x", "s3cr3tpass"),
    ("mac", "MAC address 001a.2b3c.4d5e", "001a.2b3c.4d5e"),
    ("card", "Maestro card 6759649826438453", "6759649826438453"),
    ("phone", "call me at 432 03 163", "432 03 163"),
]

SPELLINGS = [  # how people and harvesters' opponents write it: kind, value
    ("email", "anna (at) example.com"), ("email", "anna [at] example [dot] com"), ("email", "anna at example dot com"),
    ("email", "anna.smith at gmail.com"), ("email", "anna{at}example{dot}co{dot}uk"), ("email", "anna＠example．com"),
    ("email", "an\u200bna@exam\u200bple.com"), ("email", "anna arroba example punto es"), ("email", "anna.smith @ example.com"),
    ("email", "anna[@]example.com"), ("email", "ANNA (AT) EXAMPLE (DOT) COM"), ("email", "anna\u00ad@example.com"),
    ("email", "anna <at> example.de"),
    ("phone", "+1 (202) 555‑0143"), ("phone", "２０２-５５５-０１４３"),
    ("phone", "202\u200b-555\u200b-0143"), ("phone", "2 0 2 5 5 5 0 1 4 3"),
    ("phone", "2.0.2.5.5.5.0.1.4.3"), ("phone", "202–555–0143"), ("phone", "+49\u00a030\u00a0901820"), ("phone", "٢٠٢-٥٥٥-٠١٤٣"),
    ("card", "４１１１ １１１１ １１１１ １１１１"), ("card", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"), ("card", "4111.1111.1111.1111"),
    ("card", "4111\u200b1111\u200b1111\u200b1111"), ("card", "4111‑1111‑1111‑1111"), ("iban",
    "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000"),
    ("iban", "DE89.3704.0044.0532.0130.00"), ("national_id", "078‑05‑1120"), ("ipv4", "９３．１８４．２１６．３４"),
]  # fmt: skip

NOT_FOUND = [
    "version 1.2.3.4 of the library", "v10.0.19041.1", "logo@2x.png", "at 12:34:56 on 2024-01-02", "the years 1914-1918 and 1939-1945",
    "ISBN 978-3-16-148410-0", "order 4111111111111112", "pi is 3.14159265358979", "std::vector a::b", "chapter 4.5.6.7",
    "1,234,567,890 people", "DE00 3704 0044 0532 0130 00", "password: your_password", "#12345678", "the number 2024 1112 1315",
    "@handle and user@localhost", "000-12-3456", "password: sha-256", "password: scram-sha-256", "token is ERC-20x",
]  # fmt: skip

TECHNICAL = [
    "Chrome/120.0.6099.109 Safari/537.36", "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "123e4567-e89b-12d3-a456-426614174000", "550e8400-e29b-41d4-a716-446655440000", "2024-01-02T03:04:05.678901Z", "1700000000000",
    "1700000000", "doi:10.1000/182", "10.1038/s41586-020-2649-2", "arXiv:2103.14030v2", "ISBN-13: 9780306406157", "ISSN 2049-3630",
    "git@github.com:user/repo.git", "npm install lodash@4.17.21", "@pytest.mark.parametrize", "0xDEADBEEF 0x7fffffff", "de:ad:be:ef",
    "SHA256 fingerprint 16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", "order number 1234567890", "invoice #2024-000123-45",
    "tracking number 1Z999AA10123456784", "192 px x 1080 px", "RFC 2616, section 4.2.1.3", "part no. 555-123-4567-89",
    "OpenSSL 1.1.1.9", "kernel 5.15.0.91", "model XR-2000-450-99", "bug 1234567", "EAN 4006381333931", "port 8080:80", "16:9 4:3",
    "1920x1080@60Hz", "let x = a::b::c;", "3.1.4.1.5.9.2.6", "0.1.2.3", "utf-8 1.000.000.000", "token = get_token(user_id1234)",
    "password = os.environ['DB_PASSWORD_1']", "api_key: ${API_KEY_2024}", "build 20240102.123456", "CVE-2021-44228", "IMEI 490154203237518",
]  # fmt: skip

LEGAL = [
    "42 U.S.C. § 1983", "347 U.S. 483 (1954)", "No. 19-1392", "Case No. 2:19-cv-00123-ABC", "docket no. 21-476-1234567",
    "Brown v. Board of Education, 347 U.S. 483, 495", "29 CFR 1910.1200(g)(2)", "Pub. L. 111-148, 124 Stat. 119",
    "BGH, Urt. v. 12.03.1980 - VI ZR 123/79",
    "Directive 95/46/EC", "Regulation (EU) 2016/679", "ECLI:EU:C:2014:317", "Case C-131/12", "Cal. Penal Code §§ 459-461",
    "28 U.S.C. 1331-1332",
    "Article 6(1)(a) and 13(2)(b)", "Aktenzeichen 1 BvR 2019/16", "Fed. R. Civ. P. 12(b)(6)", "U.S. Patent No. 7,123,456",
    "Application No. 12/345,678",
    "Civil Action No. 05-10506-WGY", "[2019] UKSC 41", "paragraph 3.2.1.4", "in 2008 Wall Street fell", "ranked 12 Place of 40",
    "S. 1234567 of 2019",
    "Docket 2019-000123-1234", "18 U.S.C. §§ 1341, 1343, 1346", "filed 03-12-1980 as 80-123456", "Exhibit 10.1.2.3",
]  # fmt: skip
