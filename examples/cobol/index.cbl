       IDENTIFICATION DIVISION.
       PROGRAM-ID. INDEX-PAGE.
      * Answers one HTTP request, which comes on the standard input.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       01 REQUEST-LINE PIC X(2048) VALUE SPACES.
       01 GREETING PIC X(40) VALUE "hello from cobol, version 1".
       01 CRLF PIC X(2) VALUE X"0D0A".
       PROCEDURE DIVISION.
       READ-HEAD.
           ACCEPT REQUEST-LINE
           PERFORM UNTIL REQUEST-LINE = SPACES OR LOW-VALUES
              OR REQUEST-LINE(1:1) = X"0D"
              MOVE SPACES TO REQUEST-LINE
              ACCEPT REQUEST-LINE
           END-PERFORM.
       ANSWER.
           DISPLAY "HTTP/1.1 200 OK" CRLF WITH NO ADVANCING
           DISPLAY "Content-Type: text/plain" CRLF WITH NO ADVANCING
           DISPLAY "Content-Length: 41" CRLF WITH NO ADVANCING
           DISPLAY "Connection: close" CRLF CRLF WITH NO ADVANCING
           DISPLAY GREETING
           STOP RUN.
