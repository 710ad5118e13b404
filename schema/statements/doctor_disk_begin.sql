-- docket doctor: a place for what doctor_disk_ask.sql reads; gone with the session.
CREATE TEMPORARY TABLE docket_doctor_disk (line text)
